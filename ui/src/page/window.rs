//! What happens to the window: it is hidden, closed, online again, or a file is dropped onto it.

use super::Page;
use crate::browser;
use crate::state::State;
use leptos::prelude::*;
use leptos::task::spawn_local;

impl Page {
    pub(super) fn watch_the_window(self) {
        browser::on_window("pagehide", move |_: web_sys::Event| self.save_in_a_hurry());
        browser::on_document("visibilitychange", move |_: web_sys::Event| {
            if browser::document().hidden() {
                self.save_in_a_hurry();
            } else {
                spawn_local(self.refresh());
            }
        });
        // A download that could not go on goes on as soon as it can.
        browser::on_window("online", move |_: web_sys::Event| {
            if self.dialog.get_untracked().is_none() && self.state.with_untracked(State::needs_the_network) {
                self.retry_load();
            }
        });
        browser::on_window("dragover", |event: web_sys::DragEvent| event.prevent_default());
        browser::on_window("drop", move |event: web_sys::DragEvent| {
            event.prevent_default();
            let files = event.data_transfer().and_then(|data| data.files());
            if let Some(file) = files.and_then(|files| files.get(0)) {
                self.take_file(file);
            }
        });
    }
}
