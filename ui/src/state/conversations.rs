//! What the person does with conversations: open, rename, delete, import, and what of them is still to be saved.

use super::chat::{self, Chat, Id, Summary};
use super::reply::Shown;
use super::{ActionContext, State};
use protocol::Request;
use std::collections::BTreeSet;

impl State {
    pub fn chat(&self) -> Option<&Chat> {
        self.chats.get(&self.current?)
    }

    /// The messages on screen.
    pub fn shown(&self) -> Vec<Shown> {
        let Some(chat) = self.chat() else { return Vec::new() };
        let reply = self.reply.as_ref().filter(|reply| reply.chat == chat.id);
        let live = |id: Id| reply.filter(|reply| reply.message == id).map(|reply| reply.phase);
        chat.shown()
            .into_iter()
            .map(|(message, place)| {
                let (phase, edit) = (live(message.id), self.drafts.get(&edit_key(chat.id, message.id)).cloned());
                Shown { message, place, phase, edit }
            })
            .collect()
    }

    /// Where the draft of the conversation on screen is kept.
    pub fn draft_key(&self) -> String {
        self.current.map_or_else(|| "new".to_owned(), |id| id.to_string())
    }

    /// Keeps what was typed; nothing typed needs no place.
    pub fn set_draft(&mut self, key: &str, text: String) {
        if text.is_empty() {
            self.drafts.remove(key);
        } else {
            self.drafts.insert(key.to_owned(), text);
        }
    }

    /// Keeps what a message on screen is being changed to; `None` gives the change up.
    pub fn set_edit(&mut self, message: Id, text: Option<String>) {
        let Some(chat) = self.current else { return };
        match text {
            Some(text) => self.drafts.insert(edit_key(chat, message), text),
            None => self.drafts.remove(&edit_key(chat, message)),
        };
    }

    /// Shows another branch.
    pub fn select(&mut self, message: Id) {
        if let Some((id, chat)) = self.current.and_then(|id| Some((id, self.chats.get_mut(&id)?))) {
            chat.select(message);
            self.changed.insert(id);
        }
    }

    pub fn rename(&mut self, id: Id, title: &str, now_ms: u64) {
        if let Some(chat) = self.chats.get_mut(&id) {
            (chat.title, chat.titled_ms) = (chat::title(title), now_ms);
            let now_ms = chat.updated_ms;
            self.touch(id, now_ms);
        }
    }

    /// Deletes a conversation that is in memory, and holds it for [`State::undelete`].
    pub fn delete(&mut self, id: Id) -> Vec<Request> {
        let stop = match &self.reply {
            Some(reply) if reply.chat == id => self.stop(),
            Some(_) | None => Vec::new(),
        };
        self.deleted = self.chats.remove(&id);
        self.summaries.retain(|summary| summary.id != id);
        self.changed.remove(&id);
        if self.current == Some(id) {
            self.current = None;
        }
        stop
    }

    /// Brings back what was deleted last.
    pub fn undelete(&mut self) -> Option<Id> {
        let chat = self.deleted.take()?;
        let (id, updated_ms) = (chat.id, chat.updated_ms);
        self.chats.insert(id, chat);
        self.touch(id, updated_ms);
        Some(id)
    }

    /// Takes in conversations from a file. One that is here already, and differs, comes in beside it; those that may
    /// be here are in memory. Returns how many came in.
    pub fn import(&mut self, chats: Vec<Chat>, context: ActionContext) -> usize {
        let mut n_new = 0;
        for (n, mut chat) in (0..).zip(chats) {
            chat.title = chat::title(&chat.title);
            // One from the future would stay at the top of the list, and win over every later change.
            chat.updated_ms = chat.updated_ms.min(context.now_ms);
            chat.titled_ms = chat.titled_ms.min(context.now_ms);
            if self.chats.get(&chat.id).is_some_and(|here| here.says_the_same(&chat)) {
                continue;
            }
            if self.summaries.iter().any(|summary| summary.id == chat.id) {
                chat.id = context.id(n);
            }
            n_new += 1;
            let (id, updated_ms) = (chat.id, chat.updated_ms);
            self.chats.insert(id, chat);
            self.touch(id, updated_ms);
        }
        n_new
    }

    /// Takes in what another tab has saved. A reply that is being written stays on screen. Returns whether there was
    /// anything new.
    pub fn merge_saved(&mut self, saved: &Chat) -> bool {
        let Some(chat) = self.chats.get_mut(&saved.id) else { return false };
        let leaf = chat.leaf;
        let is_new = chat.merge(saved);
        if self.reply.as_ref().is_some_and(|reply| reply.chat == saved.id) {
            chat.leaf = leaf;
        }
        is_new
    }

    /// The conversations that changed since they were last taken.
    pub fn changed(&self) -> Vec<Chat> {
        self.changed.iter().filter_map(|id| self.chats.get(id)).cloned().collect()
    }

    /// Their ids, and from now on they count as saved.
    pub fn take_changed(&mut self) -> BTreeSet<Id> {
        std::mem::take(&mut self.changed)
    }

    pub fn mark_changed(&mut self, id: Id) {
        self.changed.insert(id);
    }

    /// None of what is in memory counts as saved any more.
    pub fn mark_all_changed(&mut self) {
        self.changed.extend(self.chats.keys());
    }

    /// Takes over the list from the storage; what is not saved yet stays in it.
    pub fn set_summaries(&mut self, mut summaries: Vec<Summary>) {
        for id in &self.changed {
            if let Some(chat) = self.chats.get(id) {
                summaries.retain(|summary| summary.id != *id);
                summaries.push(chat.summary());
            }
        }
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.updated_ms));
        self.summaries = summaries;
    }

    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Marks a conversation as changed, and puts it into its place in the list. At time 0 it stays where it is.
    pub(super) fn touch(&mut self, id: Id, now_ms: u64) {
        let Some(chat) = self.chats.get_mut(&id) else { return };
        chat.updated_ms = chat.updated_ms.max(now_ms);
        self.changed.insert(id);
        let summary = chat.summary();
        self.summaries.retain(|other| other.id != id);
        let at = self.summaries.partition_point(|other| other.updated_ms > summary.updated_ms);
        self.summaries.insert(at, summary);
    }
}

/// Where the draft of an edited message is kept. A conversation imported twice has the same messages twice.
pub fn edit_key(chat: Id, message: Id) -> String {
    format!("edit-{chat}-{message}")
}
