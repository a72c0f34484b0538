//! The address: `#/` is a new conversation, `#/c/ID` is one of them.

use super::Page;
use crate::bench;
use crate::browser;
use crate::state::chat::Id;
use leptos::prelude::*;

impl Page {
    pub(super) fn follow_the_address(self) {
        browser::on_window("hashchange", move |_: web_sys::Event| self.go_to_address());
        let current = Memo::new(move |_| self.state.with(|state| state.current));
        Effect::new(move |before: Option<()>| {
            let route = current.get().map_or_else(|| "#/".to_owned(), |id| format!("#/c/{id}"));
            let window = browser::window();
            // At the start the address leads, later the state does.
            if before.is_some() && window.location().hash().unwrap_or_default() != route {
                let history = window.history().expect("a window has a history");
                // Browsers refuse only when this happens hundreds of times a minute.
                let _ = history.push_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&route));
            }
        });
    }

    pub(super) fn go_to_address(self) {
        let hash = browser::window().location().hash().unwrap_or_default();
        if bench::is_here() {
            // This page is about to go.
            return;
        }
        match hash.strip_prefix("#/c/").map(str::parse::<Id>) {
            Some(Ok(id)) => self.open(id),
            Some(Err(_)) | None => self.state.update(|state| state.current = None),
        }
    }
}
