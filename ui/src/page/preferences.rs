//! What small things are kept in the local storage as they change: settings, drafts, the model that answered last.

use super::Page;
use crate::browser;
use crate::local_storage::{self, keys};
use crate::state::settings::Settings;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::BTreeMap;

impl Page {
    pub fn set_settings(self, settings: Settings) {
        self.state.update(|state| state.settings = settings);
    }

    pub fn set_thinking(self, thinking: bool) {
        self.state.update(|state| state.settings.thinking = thinking);
    }

    pub fn set_keep(self, keep: bool) {
        self.state.update(|state| state.settings.keep = keep);
    }

    pub(super) fn keep_preferences(self) {
        let settings = Memo::new(move |_| self.state.with(|state| state.settings.clone()));
        let drafts = Memo::new(move |_| self.state.with(|state| state.drafts.clone()));
        let model =
            Memo::new(move |_| self.state.with(|state| state.model.as_ref().map(|model| model.options.source.clone())));
        Effect::new(move |_| {
            settings.with(|settings| local_storage::remember(keys::SETTINGS, settings));
        });
        // Only what changed here: another tab may be at work on the others.
        Effect::new(move |before: Option<BTreeMap<String, String>>| {
            let drafts = drafts.get();
            let before = before.as_ref().unwrap_or(&drafts);
            for (key, text) in drafts.iter().filter(|(key, text)| before.get(*key) != Some(*text)) {
                local_storage::remember(&format!("{}{key}", keys::DRAFTS), text);
            }
            for key in before.keys().filter(|key| !drafts.contains_key(*key)) {
                local_storage::forget(&format!("{}{key}", keys::DRAFTS));
            }
            drafts
        });
        Effect::new(move |_| {
            if let Some(source) = model.get() {
                local_storage::remember(keys::MODEL, &source);
                spawn_local(browser::ask_to_persist());
            }
        });
        let title = Memo::new(move |_| self.state.with(|state| state.chat().map(|chat| chat.title.clone())));
        Effect::new(move |_| {
            let title = title.get().map_or_else(|| "Minnow".to_owned(), |title| format!("{title} – Minnow"));
            browser::document().set_title(&title);
        });
        Effect::new(move |_| {
            browser::show_theme(settings.with(|settings| settings.theme).name());
        });
    }
}
