//! What the person asks of conversations: begin, open, rename, delete.

use super::saving::unsaved_key;
use super::{Notice, NoticeKind, Page};
use crate::browser;
use crate::local_storage;
use crate::state::State;
use crate::state::chat::Id;
use crate::text;
use leptos::prelude::*;
use leptos::task::spawn_local;

impl Page {
    pub fn new_chat(self) {
        self.sidebar_open.set(false);
        self.state.update(|state| state.current = None);
        browser::focus(".composer textarea");
    }

    pub fn open(self, id: Id) {
        spawn_local(async move {
            if self.fetch(id).await {
                self.state.update(|state| state.current = Some(id));
            } else {
                // An address without a conversation is the one of a new one.
                let _ = browser::window().location().set_hash("#/");
                self.trouble(text::notice::NOT_HERE.to_owned());
            }
        });
    }

    pub fn rename(self, id: Id, title: String) {
        spawn_local(async move {
            if self.fetch(id).await {
                self.state.update(|state| state.rename(id, &title, browser::now_ms()));
                self.save();
            }
        });
    }

    pub fn delete(self, id: Id) {
        spawn_local(async move {
            if !self.fetch(id).await {
                return;
            }
            self.act(|state| state.delete(id));
            local_storage::forget(&unsaved_key(id));
            if let Some(storage) = self.storage()
                && let Err(error) = storage.delete(id).await
            {
                return self.trouble(text::storage::not_deleted(&error.to_string()));
            }
            self.save_worked();
            let title = self.state.with_untracked(|state| state.deleted.as_ref().map(|chat| chat.title.clone()));
            let text = text::notice::deleted(&title.unwrap_or_default());
            self.notice.set(Some(Notice { text, kind: NoticeKind::Deleted }));
        });
    }

    pub fn undelete(self) {
        self.notice.set(None);
        if let Some(id) = self.state.try_update(State::undelete).flatten() {
            self.save();
            self.open(id);
        }
    }

    /// Sees to it that a conversation is in memory.
    pub(super) async fn fetch(self, id: Id) -> bool {
        let here = self.state.with_untracked(|state| state.chats.contains_key(&id));
        if here {
            return true;
        }
        let Some(storage) = self.storage() else { return false };
        match storage.chat(id).await {
            Ok(Some(chat)) => {
                self.state.update(|state| {
                    state.chats.entry(id).or_insert(chat);
                });
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.trouble(text::storage::not_read(&error.to_string()));
                false
            }
        }
    }
}
