//! The page at work: what panels ask for becomes changes of the state, requests to the engine, and things kept.

mod conversations;
mod engine;
mod messages;
mod models;
mod notice;
mod preferences;
mod route;
mod saving;
mod transfer;
mod window;

use crate::browser;
use crate::engine::Engine;
use crate::hub;
use crate::local_storage::{self, keys};
use crate::state::State;
use crate::storage::Storage;
use ::protocol::Event;
use leptos::prelude::*;
use leptos::task::spawn_local;
use notice::SaveTrouble;
pub use notice::{Notice, NoticeKind};

/// Everything the page holds; handles that can be copied freely.
#[derive(Clone, Copy)]
pub struct Page {
    pub state: RwSignal<State>,
    /// A short message at the bottom.
    pub notice: RwSignal<Option<Notice>>,
    pub dialog: RwSignal<Option<Dialog>>,
    /// Whether the list of conversations lies over the page, on a narrow screen.
    pub sidebar_open: RwSignal<bool>,
    parts: StoredValue<Parts, LocalStorage>,
}

/// The dialogs, of which one can be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialog {
    Models,
    Settings,
}

/// What lives outside the signals.
struct Parts {
    engine: Engine,
    /// None until it is open, or for ever where the browser has none.
    storage: Option<Storage>,
    /// Events that wait for the next frame.
    inbox: Vec<Event>,
    save_trouble: SaveTrouble,
}

impl Page {
    /// Recalls what was kept, and starts the engine.
    pub fn start() -> Self {
        let settings = local_storage::recall(keys::SETTINGS).unwrap_or_default();
        let drafts = local_storage::recall_all(keys::DRAFTS);
        let mut state = State::new(settings, drafts, local_storage::recall(keys::MODEL));
        (state.hub, state.base) = (hub::address(), browser::base());
        let state = RwSignal::new(state);
        // The engine's listener needs the page, and the page holds the engine.
        let cell = StoredValue::new_local(None::<Self>);
        let engine = Engine::new(move |signal| {
            if let Some(page) = cell.get_value() {
                page.receive(signal);
            }
        });
        let parts =
            Parts { engine: engine.clone(), storage: None, inbox: Vec::new(), save_trouble: SaveTrouble::default() };
        let parts = StoredValue::new_local(parts);
        let (notice, dialog, sidebar_open) = (RwSignal::new(None), RwSignal::new(None), RwSignal::new(false));
        let page = Self { state, notice, dialog, sidebar_open, parts };
        cell.set_value(Some(page));
        page.keep_preferences();
        page.follow_the_address();
        page.watch_the_window();
        page.save_regularly();
        spawn_local(async move { engine.start().await });
        spawn_local(page.open_storage());
        page
    }

    /// A part of the state, which tells only when it changes.
    pub fn select<T: PartialEq + Send + Sync + 'static>(self, read: fn(&State) -> T) -> Memo<T> {
        Memo::new(move |_| self.state.with(read))
    }

    /// Opens a dialog.
    pub fn show(self, dialog: Dialog) {
        self.dialog.set(Some(dialog));
    }

    pub fn is_shown(self, dialog: Dialog) -> Signal<bool> {
        Signal::derive(move || self.dialog.get() == Some(dialog))
    }

    /// Opens the list of conversations, or closes it.
    pub fn toggle_sidebar(self) {
        if self.sidebar_open.get_untracked() {
            return self.close_sidebar();
        }
        self.sidebar_open.set(true);
        browser::focus(".sidebar__new");
    }

    pub fn close_sidebar(self) {
        if self.sidebar_open.get_untracked() {
            self.sidebar_open.set(false);
            browser::focus(".header__menu");
        }
    }
}
