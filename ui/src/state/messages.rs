//! What the person says: send, change, answer again, stop.

use super::chat::{Chat, Id, Message, Outcome};
use super::conversations::edit_key;
use super::{ActionContext, Phase, Reply, State};
use crate::text;
use protocol::{self, GenerateOptions, Request, Role};

impl State {
    /// A message can be sent: something answers, or will, and nothing is being answered.
    pub fn can_answer(&self) -> bool {
        self.reply.is_none() && (self.model.is_some() || self.load.is_some())
    }

    /// Says something in the conversation on screen, or in a new one.
    pub fn send(&mut self, text: &str, context: ActionContext) -> Vec<Request> {
        if !self.can_answer() || text.trim().is_empty() {
            return Vec::new();
        }
        self.drafts.remove(&self.draft_key());
        let id = match self.current {
            Some(id) => id,
            None => {
                let chat = Chat::new(text, context);
                let id = chat.id;
                self.chats.insert(id, chat);
                self.current = Some(id);
                id
            }
        };
        let Some(chat) = self.chats.get_mut(&id) else { return Vec::new() };
        let message = Message::from_person(text.to_owned(), chat.leaf, context.id(1));
        chat.push(message);
        self.answer(id, context.id(1), context)
    }

    /// Says something else instead of `message`, which stays as the other branch.
    pub fn edit(&mut self, message: Id, text: &str, context: ActionContext) -> Vec<Request> {
        let Some((id, chat)) = self.current.and_then(|id| Some((id, self.chats.get_mut(&id)?))) else {
            return Vec::new();
        };
        let Some(parent) = chat.message(message).map(|old| old.parent) else { return Vec::new() };
        if self.reply.is_some() || text.trim().is_empty() {
            return Vec::new();
        }
        chat.push(Message::from_person(text.to_owned(), parent, context.id(1)));
        self.drafts.remove(&edit_key(id, message));
        self.answer(id, context.id(1), context)
    }

    /// Asks for another reply instead of `message`, which stays as the other branch.
    pub fn regenerate(&mut self, message: Id, context: ActionContext) -> Vec<Request> {
        let Some((id, chat)) = self.current.and_then(|id| Some((id, self.chats.get(&id)?))) else {
            return Vec::new();
        };
        match chat.message(message).and_then(|old| old.parent) {
            Some(question) if self.can_answer() => self.answer(id, question, context),
            Some(_) | None => Vec::new(),
        }
    }

    pub fn stop(&mut self) -> Vec<Request> {
        match &mut self.reply {
            Some(Reply { phase: Phase::Waiting, .. }) => {
                self.finish_reply(Outcome::Failed(text::message::STOPPED_BEFORE.to_owned()), 0);
                Vec::new()
            }
            Some(reply) => {
                reply.phase = Phase::Stopping;
                vec![Request::Stop]
            }
            None => Vec::new(),
        }
    }

    fn answer(&mut self, chat: Id, question: Id, context: ActionContext) -> Vec<Request> {
        let message = context.id(2);
        if let Some(chat) = self.chats.get_mut(&chat) {
            chat.push(Message::from_model(String::new(), question, message));
        }
        self.touch(chat, context.now_ms);
        self.reply = Some(Reply { chat, message, phase: Phase::Waiting });
        match (&self.load, &self.model) {
            (None, Some(_)) => self.generate(chat, message).into_iter().collect(),
            (None, None) => {
                self.fail_waiting(text::message::NO_MODEL);
                Vec::new()
            }
            (Some(_), _) => Vec::new(),
        }
    }

    pub(super) fn generate(&mut self, chat: Id, message: Id) -> Option<Request> {
        let model = self.model.as_ref()?.info.name.clone();
        let reply = self.chats.get_mut(&chat)?.message_mut(message)?;
        reply.origin.as_mut()?.model = model;
        let question = reply.parent?;
        self.reply.as_mut()?.phase = Phase::Reading { done_tokens: 0, total_tokens: 0 };
        let system = self.settings.system_prompt.trim();
        let mut messages = self.chats[&chat].prompt(question);
        if !system.is_empty() {
            messages.insert(0, protocol::Message { role: Role::System, content: system.to_owned() });
        }
        Some(Request::Generate(GenerateOptions {
            messages,
            sampling: self.settings.sampling.clone(),
            max_tokens: self.settings.max_tokens,
            thinking: self.settings.thinking,
        }))
    }
}
