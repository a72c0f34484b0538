//! What the person asks of messages: send, stop, change, answer again.

use super::{Dialog, Page};
use crate::browser;
use crate::state::State;
use crate::state::chat::Id;
use leptos::prelude::*;
use protocol::Request;

impl Page {
    pub fn set_draft(self, text: String) {
        self.state.update(|state| state.set_draft(&state.draft_key(), text));
    }

    pub fn send(self, text: String) {
        let can_answer = self.state.with_untracked(State::can_answer);
        if !can_answer {
            // What was typed stays where it is.
            let busy = self.state.with_untracked(|state| state.reply.is_some());
            if !busy {
                self.dialog.set(Some(Dialog::Models));
            }
            return;
        }
        self.act(|state| state.send(&text, browser::action_context()));
        self.save_as_asked();
    }

    pub fn stop(self) {
        self.act(State::stop);
    }

    pub fn regenerate(self, message: Id) {
        self.answer_or_ask_for_model(|state| state.regenerate(message, browser::action_context()));
    }

    pub fn edit(self, message: Id, text: &str) {
        self.answer_or_ask_for_model(|state| state.edit(message, text, browser::action_context()));
    }

    pub(super) fn answer_or_ask_for_model(self, change: impl FnOnce(&mut State) -> Vec<Request>) {
        if self.state.with_untracked(State::can_answer) {
            self.act(change);
            self.save_as_asked();
        } else if self.state.with_untracked(|state| state.reply.is_none()) {
            self.dialog.set(Some(Dialog::Models));
        }
    }

    /// Begins to change a message, goes on, or gives up with `None`.
    pub fn set_edit(self, message: Id, text: Option<String>) {
        self.state.update(|state| state.set_edit(message, text));
    }

    pub fn show_branch(self, message: Id) {
        self.state.update(|state| state.select(message));
    }
}
