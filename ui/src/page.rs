//! The page at work: what panels ask for becomes changes of the state, requests to the engine, and things kept.

mod notice;

use crate::bench;
use crate::browser;
use crate::engine::{Engine, Signal};
use crate::hub;
use crate::state::chat::{Chat, Id};
use crate::state::{State, WorkerStatus, exchange};
use crate::storage::Storage;
use engine::protocol::{Event, Request, Source};
use leptos::prelude::*;
use leptos::task::spawn_local;
use notice::SaveTrouble;
pub use notice::{Notice, NoticeKind};
use std::collections::BTreeMap;
use std::time::Duration;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

/// Names in the local storage.
pub(crate) mod kept {
    pub const SETTINGS: &str = "minnow.settings";
    /// Before a draft's key.
    pub const DRAFTS: &str = "minnow.draft.";
    pub const MODEL: &str = "minnow.model";
    /// Before a conversation's id.
    pub const UNSAVED: &str = "minnow.unsaved.";
}

/// A reply that grows is saved this often, so a crash costs no more than this.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// A file of conversations beyond this is something else.
const IMPORT_BYTES_MAX: f64 = 256e6;

/// Everything the page holds; handles that can be copied freely.
#[derive(Clone, Copy)]
pub struct Page {
    pub state: RwSignal<State>,
    /// A short message at the bottom.
    pub notice: RwSignal<Option<Notice>>,
    pub dialog: RwSignal<Option<Dialog>>,
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
        let settings = browser::recall(kept::SETTINGS).unwrap_or_default();
        let drafts = browser::recall_all(kept::DRAFTS);
        let mut state = State::new(settings, drafts, browser::recall(kept::MODEL));
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
        let page = Self { state, notice: RwSignal::new(None), dialog: RwSignal::new(None), parts };
        cell.set_value(Some(page));
        page.keep_settings();
        page.follow_the_address();
        page.watch_the_window();
        spawn_local(async move { engine.start().await });
        spawn_local(page.open_storage());
        page
    }
}

/// The engine.
impl Page {
    /// Text comes in small pieces, often several a frame: they are taken in together when the browser draws. In the
    /// background it does not draw, so there they are taken in at once.
    fn receive(self, signal: Signal) {
        let event = match signal {
            Signal::Died(reason) => {
                self.take_in();
                self.state.update(|state| state.worker_died(reason, browser::now_ms()));
                return self.bury_engine();
            }
            Signal::Event(event) => *event,
        };
        let can_wait = matches!(event, Event::Text { .. } | Event::Prompt { .. } | Event::Progress { .. });
        let was_empty = self.parts.with_value(|parts| parts.inbox.is_empty());
        self.parts.update_value(|parts| parts.inbox.push(event));
        if !can_wait || browser::document().hidden() {
            self.take_in();
        } else if was_empty {
            request_animation_frame(move || self.take_in());
        }
    }

    fn take_in(self) {
        let mut events = Vec::new();
        self.parts.update_value(|parts| events = std::mem::take(&mut parts.inbox));
        if events.is_empty() {
            return;
        }
        let moved_to = |event: &Event| if let Event::Moved(info) = event { Some(info.clone()) } else { None };
        let moved = events.iter().rev().find_map(moved_to).filter(|info| info.backend == "cpu");
        let ended = events.iter().any(|event| matches!(event, Event::Done(_) | Event::Failed { .. }));
        let now_ms = browser::now_ms();
        self.act(|state| events.into_iter().flat_map(|event| state.apply(event, now_ms)).collect());
        if let Some(info) = moved {
            self.left_the_gpu(&info);
        }
        if ended {
            self.save();
            self.bury_engine();
        }
    }

    /// Gives the memory of a worker back that is gone. Not in its own callback, which must outlive its call.
    fn bury_engine(self) {
        if self.state.with_untracked(|state| matches!(state.worker, WorkerStatus::Dead(_))) {
            let engine = self.engine();
            spawn_local(async move { engine.end() });
        }
    }

    /// Changes the state, and sends what follows from it.
    fn act(self, change: impl FnOnce(&mut State) -> Vec<Request>) {
        let requests = self.state.try_update(change).unwrap_or_default();
        let engine = self.engine();
        for request in &requests {
            engine.post(request);
        }
    }

    fn engine(self) -> Engine {
        self.parts.with_value(|parts| parts.engine.clone())
    }

    pub fn restart_engine(self) {
        self.state.update(State::worker_restarts);
        let engine = self.engine();
        spawn_local(async move { engine.start().await });
    }
}

/// Models.
impl Page {
    pub fn load(self, source: Source) {
        self.dialog.set(None);
        self.forget_offer();
        let dead = self.state.with_untracked(|state| matches!(state.worker, WorkerStatus::Dead(_)));
        self.act(|state| state.load(source));
        if dead {
            self.restart_engine();
        }
    }

    pub fn load_file(self, file: File) {
        let name = file.name();
        self.engine().hold(file);
        self.load(Source::Local { name });
    }

    pub fn retry_load(self) {
        let failed = self.state.with_untracked(|state| state.load_failure.clone());
        if let Some(failure) = failed {
            self.load(failure.options.source);
        }
    }

    /// Loads the model that answers once more, with the settings of now.
    pub fn reload_model(self) {
        let source = self.state.with_untracked(|state| state.model.as_ref().map(|model| model.options.source.clone()));
        if let Some(source) = source {
            self.load(source);
        }
    }

    pub fn dismiss_news(self) {
        self.state.update(State::dismiss_news);
    }

    pub fn cancel_load(self) {
        self.act(State::cancel_load);
    }

    pub fn delete_model(self, id: String) {
        self.act(|_| vec![Request::Delete { id }]);
    }
}

/// Messages.
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
        self.act(|state| state.send(&text, browser::stamp()));
        self.save();
    }

    pub fn stop(self) {
        self.act(State::stop);
    }

    pub fn regenerate(self, message: Id) {
        self.answer_or_ask_for_model(|state| state.regenerate(message, browser::stamp()));
    }

    pub fn edit(self, message: Id, text: &str) {
        self.answer_or_ask_for_model(|state| state.edit(message, text, browser::stamp()));
    }

    fn answer_or_ask_for_model(self, change: impl FnOnce(&mut State) -> Vec<Request>) {
        if self.state.with_untracked(State::can_answer) {
            self.act(change);
            self.save();
        } else if self.state.with_untracked(|state| state.reply.is_none()) {
            self.dialog.set(Some(Dialog::Models));
        }
    }

    /// Begins to change a message, goes on, or gives up with `None`.
    pub fn set_edit(self, message: Id, text: Option<String>) {
        self.state.update(|state| state.set_edit(message, text));
    }

    pub fn select(self, message: Id) {
        self.state.update(|state| state.select(message));
    }
}

/// Conversations.
impl Page {
    pub fn new_chat(self) {
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
                self.trouble("This conversation is not on this device.".to_owned());
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
            browser::forget(&unsaved_key(id));
            if let Some(storage) = self.storage()
                && let Err(error) = storage.delete(id).await
            {
                return self.trouble(format!("The conversation could not be deleted: {error}"));
            }
            self.save_worked();
            let title = self.state.with_untracked(|state| state.deleted.as_ref().map(|chat| chat.title.clone()));
            let text = format!("Deleted “{}”.", title.unwrap_or_default());
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
    async fn fetch(self, id: Id) -> bool {
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
                self.trouble(format!("The conversation could not be read: {error}"));
                false
            }
        }
    }

    pub fn export(self) {
        self.dialog.set(None);
        spawn_local(async move {
            let mut chats = self.state.with_untracked(|state| state.chats.clone());
            if let Some(storage) = self.storage() {
                match storage.chats().await {
                    Ok(stored) => {
                        for chat in stored {
                            chats.entry(chat.id).or_insert(chat);
                        }
                    }
                    Err(error) => return self.trouble(format!("The conversations could not be read: {error}")),
                }
            }
            let json = exchange::export(chats.into_values().collect());
            if let Err(error) = browser::save_file("minnow-conversations.json", &json) {
                self.trouble(format!("The file could not be written: {}", browser::message(&error)));
            }
        });
    }

    pub fn import(self, file: File) {
        self.dialog.set(None);
        spawn_local(async move {
            if file.size() > IMPORT_BYTES_MAX {
                return self.trouble("This file is too large to be an export of conversations.".to_owned());
            }
            let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
            let chats = text.ok_or_else(|| "The file could not be read.".to_owned()).and_then(|t| exchange::import(&t));
            match chats {
                Ok(chats) => {
                    for chat in &chats {
                        self.fetch(chat.id).await;
                    }
                    let n_chats = chats.len();
                    let n_new = self.state.try_update(|state| state.import(chats, browser::stamp())).unwrap_or(0);
                    let text = exchange::imported(n_new, n_chats - n_new);
                    self.parts.update_value(|parts| parts.save_trouble.reopen());
                    if self.save_now().await {
                        self.notice.set(Some(Notice { text, kind: NoticeKind::Done }));
                    }
                }
                Err(problem) => self.trouble(problem),
            }
        });
    }
}

/// What outlives the tab.
impl Page {
    fn storage(self) -> Option<Storage> {
        self.parts.with_value(|parts| parts.storage.clone())
    }

    async fn open_storage(self) {
        match Storage::open().await {
            Ok(storage) => self.parts.update_value(|parts| parts.storage = Some(storage)),
            Err(_) => self.trouble(
                "This browser keeps no data for this page (a private window?). Conversations end with the tab."
                    .to_owned(),
            ),
        }
        self.rescue().await;
        self.refresh().await;
        self.go_to_address();
    }

    /// Saves what the last page had no time to save.
    async fn rescue(self) {
        let Some(storage) = self.storage() else { return };
        for chat in browser::recall_all::<Chat>(kept::UNSAVED).into_values() {
            match storage.save(chat).await {
                Ok(saved) => forget_unsaved(saved),
                Err(error) => return self.save_failed(&error),
            }
        }
    }

    /// Reads the list again: another tab may have changed it.
    async fn refresh(self) {
        let Some(storage) = self.storage() else { return };
        match storage.summaries().await {
            Ok(summaries) => self.state.update(|state| state.set_summaries(summaries)),
            Err(error) => return self.trouble(format!("The list of conversations could not be read: {error}")),
        }
        let current = self.state.with_untracked(|state| state.current);
        let Some(id) = current else { return };
        if let Ok(Some(chat)) = storage.chat(id).await {
            self.state.maybe_update(|state| state.absorb(&chat));
        }
    }

    /// Saves every conversation that changed, in its own time.
    fn save(self) {
        spawn_local(async move {
            self.save_now().await;
        });
    }

    /// Saves every conversation that changed. Returns whether all of them are safe now; if not, the person knows.
    async fn save_now(self) -> bool {
        // Without a database, what is here ends with the tab, and the person knows that too.
        let Some(storage) = self.storage() else { return true };
        let mut changed = self.state.write_untracked().take_changed();
        let mut has_saved = false;
        while let Some(id) = changed.pop_first() {
            // It may have been deleted while others were saved.
            let Some(chat) = self.state.with_untracked(|state| state.chats.get(&id).cloned()) else { continue };
            match storage.save(chat).await {
                Ok(saved) => {
                    has_saved = true;
                    self.state.maybe_update(|state| state.absorb(&saved));
                    forget_unsaved(saved);
                }
                Err(error) => {
                    self.state.update(|state| changed.into_iter().chain([id]).for_each(|id| state.mark_changed(id)));
                    self.save_failed(&error);
                    return false;
                }
            }
        }
        if has_saved {
            self.save_worked();
        }
        true
    }

    /// The database may have no time to write when the page closes; the local storage writes at once.
    fn save_in_a_hurry(self) {
        self.take_in();
        for chat in self.state.with_untracked(State::changed) {
            browser::remember(&unsaved_key(chat.id), &chat);
        }
        self.save();
    }

    fn keep_settings(self) {
        let settings = Memo::new(move |_| self.state.with(|state| state.settings.clone()));
        let drafts = Memo::new(move |_| self.state.with(|state| state.drafts.clone()));
        let model =
            Memo::new(move |_| self.state.with(|state| state.model.as_ref().map(|model| model.options.source.clone())));
        Effect::new(move |_| {
            settings.with(|settings| browser::remember(kept::SETTINGS, settings));
        });
        // Only what changed here: another tab may be at work on the others.
        Effect::new(move |before: Option<BTreeMap<String, String>>| {
            let drafts = drafts.get();
            let before = before.as_ref().unwrap_or(&drafts);
            for (key, text) in drafts.iter().filter(|(key, text)| before.get(*key) != Some(*text)) {
                browser::remember(&format!("{}{key}", kept::DRAFTS), text);
            }
            for key in before.keys().filter(|key| !drafts.contains_key(*key)) {
                browser::forget(&format!("{}{key}", kept::DRAFTS));
            }
            drafts
        });
        Effect::new(move |_| {
            if let Some(source) = model.get() {
                browser::remember(kept::MODEL, &source);
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

    fn watch_the_window(self) {
        let every = move || {
            if self.state.with_untracked(State::has_changed) {
                self.save();
            }
        };
        // Only a page without a window has no timers.
        let _ = set_interval_with_handle(every, SAVE_EVERY);
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

    /// A file that was dropped onto the page.
    fn take_file(self, file: File) {
        let name = file.name().to_ascii_lowercase();
        if name.ends_with(".json") {
            self.import(file);
        } else if self.state.with_untracked(|state| state.load.is_some()) {
            self.trouble("A model is being loaded. Cancel that first, then drop the file again.".to_owned());
        } else {
            self.load_file(file);
        }
    }
}

/// Where a conversation is kept that the database may not have yet.
fn unsaved_key(id: Id) -> String {
    format!("{}{id}", kept::UNSAVED)
}

/// Forgets what was kept in a hurry, if it holds nothing that is not saved.
fn forget_unsaved(mut saved: Chat) {
    let key = unsaved_key(saved.id);
    if !browser::recall::<Chat>(&key).is_some_and(|unsaved| saved.merge(&unsaved)) {
        browser::forget(&key);
    }
}

/// The address: `#/` is a new conversation, `#/c/ID` is one of them.
impl Page {
    fn follow_the_address(self) {
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

    fn go_to_address(self) {
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
