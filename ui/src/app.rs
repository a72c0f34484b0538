//! What stands where, and which part of the page answers to which panel.

use crate::browser;
use crate::catalogue::{self, ENTRIES};
use crate::format;
use crate::page::{Dialog, Page};
use crate::panels::composer::{Button, Composer};
use crate::panels::header::Header;
use crate::panels::message::MessageActions;
use crate::panels::modal::Modal;
use crate::panels::model::{ModelNews, ModelStrip};
use crate::panels::models::Models;
use crate::panels::notice::NoticeBar;
use crate::panels::reply;
use crate::panels::settings::Settings;
use crate::panels::sidebar::Sidebar;
use crate::panels::thread::Thread;
use crate::panels::welcome::{Begin, Welcome};
use crate::state::{Phase, State, WorkerStatus};
use engine::protocol::Source;
use leptos::prelude::*;

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let page = Page::start();
    let state = page.state;
    let base = browser::base();
    let sidebar_open = RwSignal::new(false);
    let see = Look { state, base: StoredValue::new(base.clone()) };

    let close_sidebar = Callback::new(move |()| {
        if sidebar_open.get_untracked() {
            sidebar_open.set(false);
            browser::focus(".header__menu");
        }
    });
    // On a phone the focus may be anywhere when the list lies over the page.
    let escape = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "Escape" {
            close_sidebar.run(());
        }
    });
    on_cleanup(move || escape.remove());
    let open_models = Callback::new(move |()| page.dialog.set(Some(Dialog::Models)));
    let is_open = move |dialog: Dialog| Signal::derive(move || page.dialog.get() == Some(dialog));
    let close_dialog = Callback::new(move |()| page.dialog.set(None));
    let actions = MessageActions {
        on_regenerate: Callback::new(move |id| page.regenerate(id)),
        on_select: Callback::new(move |id| page.select(id)),
        on_edit: Callback::new(move |(id, text)| page.set_edit(id, text)),
        on_resend: Callback::new(move |(id, text): (_, String)| page.edit(id, &text)),
    };

    view! {
        <Sidebar
            open=sidebar_open
            summaries=see.memo(|state| state.summaries.clone())
            current=see.memo(|state| state.current)
            on_close=close_sidebar
            on_new=Callback::new(move |()| {
                sidebar_open.set(false);
                page.new_chat();
            })
            on_rename=Callback::new(move |(id, title)| page.rename(id, title))
            on_delete=Callback::new(move |id| page.delete(id))
        />
        <main class="main">
            <Header
                model=see.memo(|state| state.model.as_ref().map(|model| model.info.name.clone()))
                sidebar_open
                on_sidebar=Callback::new(move |()| {
                    if sidebar_open.get_untracked() {
                        return close_sidebar.run(());
                    }
                    sidebar_open.set(true);
                    browser::focus(".sidebar__new");
                })
                on_models=open_models
                on_settings=Callback::new(move |()| page.dialog.set(Some(Dialog::Settings)))
            />
            <ModelStrip
                news=Memo::new(move |_| see.news())
                on_cancel=Callback::new(move |()| page.cancel_load())
                on_retry=Callback::new(move |()| page.retry_load())
                on_models=open_models
                on_restart=Callback::new(move |()| page.restart_engine())
                on_dismiss=Callback::new(move |()| page.dismiss_news())
            />
            <Thread
                chat=see.memo(|state| state.current)
                messages=see.memo(State::shown)
                idle=see.memo(|state| state.reply.is_none())
                announcement=Memo::new(move |before| see.announcement(before))
                actions
            >
                <Welcome
                    begin=Memo::new(move |_| see.begin())
                    on_load=Callback::new(move |()| page.load(see.first_offer()))
                    on_models=open_models
                    on_suggestion=Callback::new(move |text| page.send(text))
                />
            </Thread>
            <Composer
                draft=see.memo(|state| state.drafts.get(&state.draft_key()).cloned().unwrap_or_default())
                button=see.memo(button)
                speed=see.memo(speed)
                thinking=see.memo(thinking)
                context=see.memo(context)
                on_draft=Callback::new(move |text| page.set_draft(text))
                on_send=Callback::new(move |text| page.send(text))
                on_stop=Callback::new(move |()| page.stop())
                on_thinking=Callback::new(move |on| page.state.update(|state| state.settings.thinking = on))
            />
        </main>
        <Modal title="Models" open=is_open(Dialog::Models) on_close=close_dialog>
            <Models
                base=base.clone()
                shelf=see.memo(|state| state.shelf.clone())
                shelf_failure=see.memo(|state| state.shelf_failure.clone())
                loaded=see.memo(|state| state.model.as_ref().map(|model| model.options.source.clone()))
                busy=see.memo(|state| state.load.is_some())
                keep=see.memo(|state| state.settings.keep)
                on_load=Callback::new(move |source| page.load(source))
                on_file=Callback::new(move |file| page.load_file(file))
                on_delete=Callback::new(move |id| page.delete_model(id))
                on_keep=Callback::new(move |keep| page.state.update(|state| state.settings.keep = keep))
            />
        </Modal>
        <Modal title="Settings" open=is_open(Dialog::Settings) on_close=close_dialog>
            <Settings
                values=see.memo(|state| state.settings.clone())
                model=see.memo(|state| state.model.as_ref().map(|model| model.info.clone()))
                on_change=Callback::new(move |settings| page.state.update(|state| state.settings = settings))
                on_reload=Callback::new(move |()| page.reload_model())
                on_export=Callback::new(move |()| page.export())
                on_import=Callback::new(move |file| page.import(file))
            />
        </Modal>
        <NoticeBar
            notice=page.notice
            on_undo=Callback::new(move |()| page.undelete())
            on_shrink=Callback::new(move |n| page.shrink_context(n))
            on_close=Callback::new(move |()| page.close_notice())
        />
    }
}

/// Reads the state for the panels.
#[derive(Clone, Copy)]
struct Look {
    state: RwSignal<State>,
    /// The page's folder.
    base: StoredValue<String>,
}

impl Look {
    /// A part of the state, which tells only when it changes.
    fn memo<T: PartialEq + Send + Sync + 'static>(self, read: fn(&State) -> T) -> Memo<T> {
        Memo::new(move |_| self.state.with(read))
    }

    fn name(self, source: &Source) -> String {
        self.base.with_value(|base| catalogue::name(source, base))
    }

    fn news(self) -> ModelNews {
        self.state.with(|state| {
            if let WorkerStatus::Dead(reason) = &state.worker {
                return ModelNews::Dead(reason.clone());
            }
            if let Some(load) = &state.load {
                return ModelNews::Loading { name: self.name(&load.options.source), load: load.clone() };
            }
            if let Some(failure) = &state.load_failure {
                let (name, message) = (self.name(&failure.options.source), failure.message.clone());
                return ModelNews::Failed { name, kind: failure.kind, message };
            }
            state.notes().map_or(ModelNews::Nothing, ModelNews::Note)
        })
    }

    /// What the first button loads: the model that answered last time, else the first of the catalogue.
    fn first_offer(self) -> Source {
        let last = self.state.with(|state| state.resume.clone());
        last.unwrap_or_else(|| self.base.with_value(|base| ENTRIES[0].source(base)))
    }

    fn begin(self) -> Begin {
        if self.state.with(|state| state.load.is_some()) {
            return Begin::Wait;
        }
        if self.state.with(|state| state.model.is_some()) {
            return Begin::Talk;
        }
        if self.state.with(|state| state.resume.is_some() && state.shelf.is_none()) {
            return Begin::Look;
        }
        let source = self.first_offer();
        let entry = self.base.with_value(|base| catalogue::find(&source, base));
        let size = entry.map(|entry| format::bytes(entry.size_bytes)).unwrap_or_default();
        Begin::Load { name: self.name(&source), size }
    }

    /// What screen readers are told: that a reply begins, and once it is complete, what it says and how it ended.
    fn announcement(self, before: Option<&String>) -> String {
        const BEGINS: &str = "The model is answering.";
        self.state.with(|state| {
            if state.reply.is_some() {
                return BEGINS.to_owned();
            }
            let ended = before.filter(|before| *before == BEGINS).and_then(|_| state.shown().pop());
            ended.map(|shown| reply::spoken(&shown)).or_else(|| before.cloned()).unwrap_or_default()
        })
    }
}

fn button(state: &State) -> Button {
    match state.reply.as_ref().map(|reply| reply.phase) {
        None => Button::Send,
        Some(Phase::Stopping) => Button::Stopping,
        Some(Phase::Waiting | Phase::Reading { .. } | Phase::Writing { .. }) => Button::Stop,
    }
}

/// The speed of the reply in progress, or of the last one.
fn speed(state: &State) -> Option<String> {
    let per_sec = match &state.reply {
        Some(reply) => reply.phase.tokens_per_sec()?,
        None => {
            let path = state.chat()?.path();
            let stats = path.last()?.stats().filter(|stats| stats.n_reply > 0)?;
            f64::from(stats.n_reply) / stats.reply_secs
        }
    };
    per_sec.is_finite().then(|| format!("{} tokens/s", format::rate(per_sec)))
}

/// Whether the model shall think, if it can.
fn thinking(state: &State) -> Option<bool> {
    state.model.as_ref().filter(|model| model.info.can_think).map(|_| state.settings.thinking)
}

/// How full the context was after the last reply.
fn context(state: &State) -> Option<(u32, u32)> {
    let total = state.model.as_ref()?.info.context_tokens;
    let path = state.chat()?.path();
    let used = path.iter().rev().find_map(|message| message.stats())?.context_used;
    Some((used, total))
}
