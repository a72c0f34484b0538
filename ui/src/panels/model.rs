//! What the model is doing when it is not answering: loading, failed, gone.

use crate::format;
use crate::page::{Dialog, Page};
use crate::state::load::{Load, explain};
use crate::state::{State, WorkerStatus};
use crate::text;
use leptos::prelude::*;
use protocol::ErrorKind;
use protocol::LoadStage;

/// What there is to say about the model.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelNews {
    Nothing,
    Loading {
        name: String,
        load: Load,
    },
    Failed {
        name: String,
        kind: ErrorKind,
        message: String,
    },
    /// The engine is gone, for this reason.
    Dead(String),
    /// It answers, but there is something to know.
    Note(String),
}

/// The strip below the header of the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <ModelStrip
            news=page.select(news)
            on_cancel=Callback::new(move |()| page.cancel_load())
            on_retry=Callback::new(move |()| page.retry_load())
            on_models=Callback::new(move |()| page.show(Dialog::Models))
            on_restart=Callback::new(move |()| page.restart_engine())
            on_dismiss=Callback::new(move |()| page.dismiss_news())
        />
    }
}

fn news(state: &State) -> ModelNews {
    if let WorkerStatus::Dead(reason) = &state.worker {
        return ModelNews::Dead(reason.clone());
    }
    if let Some(load) = &state.load {
        return ModelNews::Loading { name: state.source_name(&load.options.source), load: load.clone() };
    }
    if let Some(failure) = &state.load_failure {
        let (name, message) = (state.source_name(&failure.options.source), failure.message.clone());
        return ModelNews::Failed { name, kind: failure.kind, message };
    }
    state.notes().map_or(ModelNews::Nothing, ModelNews::Note)
}

/// The strip below the header.
#[component]
pub fn ModelStrip(
    #[prop(into)] news: Signal<ModelNews>,
    on_cancel: Callback<()>,
    on_retry: Callback<()>,
    on_models: Callback<()>,
    on_restart: Callback<()>,
    on_dismiss: Callback<()>,
) -> impl IntoView {
    let loading = Memo::new(move |_| news.with(|news| matches!(news, ModelNews::Loading { .. })));
    let try_again = move || {
        view! {
            <button class="button" on:click=move |_| on_retry.run(())>
                {text::model::TRY_AGAIN}
            </button>
        }
    };
    let other = move || match news.get() {
        ModelNews::Failed { name, kind, message } => view! {
            <div class="model__trouble" role="alert">
                <p><strong>{text::model::named_not_loaded(&name)}</strong>{message}</p>
                <div class="model__actions">
                    {can_retry(kind).then(try_again)}
                    <button class="button" on:click=move |_| on_models.run(())>{text::model::CHOOSE_ANOTHER}</button>
                    <button class="button" on:click=move |_| on_dismiss.run(())>{text::model::DISMISS}</button>
                </div>
            </div>
        }
        .into_any(),
        ModelNews::Dead(reason) => view! {
            <div class="model__trouble" role="alert">
                <p><strong>{text::model::STOPPED}</strong>{text::model::nothing_lost(&reason)}</p>
                <div class="model__actions">
                    <button class="button button--primary" on:click=move |_| on_restart.run(())>
                        {text::model::START_IT_AGAIN}
                    </button>
                    <button class="button" on:click=move |_| on_models.run(())>{text::model::CHOOSE_ANOTHER}</button>
                </div>
            </div>
        }
        .into_any(),
        ModelNews::Note(note) => view! {
            <div class="model__note" role="note">
                <p>{note}</p>
                <button class="button" on:click=move |_| on_dismiss.run(())>{text::model::DISMISS}</button>
            </div>
        }
        .into_any(),
        ModelNews::Nothing | ModelNews::Loading { .. } => ().into_any(),
    };
    view! {
        <section class="model" aria-label=text::model::MODEL>
            <Show when=move || loading.get()>
                <Progress news on_cancel />
            </Show>
            {other}
        </section>
    }
}

/// How far the load is. The elements stay while the numbers change, so that the focus stays on the button.
#[component]
fn Progress(news: Signal<ModelNews>, on_cancel: Callback<()>) -> impl IntoView {
    let read = move |read: fn(&str, &Load) -> String| {
        Memo::new(move |_| {
            news.with(|news| match news {
                ModelNews::Loading { name, load } => read(name, load),
                ModelNews::Nothing | ModelNews::Failed { .. } | ModelNews::Dead(_) | ModelNews::Note(_) => {
                    String::new()
                }
            })
        })
    };
    let title = read(|name, load| {
        if load.cancelling {
            return text::model::CANCELLING.to_owned();
        }
        match load.stage {
            None => text::model::preparing(name),
            Some(LoadStage::Download) => text::model::downloading(name),
            Some(LoadStage::Read) => text::model::reading(name),
        }
    });
    let detail = read(|_, load| describe(load));
    let again = read(|_, load| load.started_over.map(explain).unwrap_or_default().to_owned());
    // A bar without a value shows that something goes on.
    let value = read(|_, load| load.fraction().map(|fraction| fraction.to_string()).unwrap_or_default());
    let value = move || Some(value.get()).filter(|value| !value.is_empty());
    let cancelling = read(|_, load| load.cancelling.to_string());
    let cancelling = move || cancelling.with(|cancelling| cancelling == "true");
    view! {
        <div class="model__loading">
            <div class="model__words">
                <span>{title}</span>
                <span class="model__detail" data-testid="load-detail">{detail}</span>
            </div>
            <Show when=move || again.with(|text| !text.is_empty())>
                <p class="model__again" role="status">{again}</p>
            </Show>
            <progress class="model__bar" aria-label=text::model::LOADING_MODEL max="1" value=value></progress>
            <button class="button" disabled=cancelling on:click=move |_| on_cancel.run(())>
                {text::model::CANCEL}
            </button>
        </div>
    }
}

/// `31 MB of 98 MB · 32 % · 12 MB/s · 6 s left`, as far as it is known.
#[expect(clippy::cast_possible_truncation, reason = "a fraction of a byte is nothing")]
fn describe(load: &Load) -> String {
    let so_far = match load.total_bytes {
        0 if load.loaded_bytes == 0 => None,
        0 => Some(format::bytes(load.loaded_bytes)),
        total => Some(text::model::part_of(&format::bytes(load.loaded_bytes), &format::bytes(total))),
    };
    let percent = load.fraction().map(|fraction| format!("{:.0} %", (fraction * 100.0).floor()));
    let speed = load.bytes_per_sec().map(|rate| format!("{}/s", format::bytes(rate as u64)));
    let left = load.secs_left().map(|secs| text::model::time_left(&format::duration(secs)));
    [so_far, percent, speed, left].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Whether the same load may go better the next time.
fn can_retry(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Network | ErrorKind::Storage | ErrorKind::Memory | ErrorKind::Cancelled | ErrorKind::NotFound => {
            true
        }
        ErrorKind::Invalid | ErrorKind::Crashed => true,
        ErrorKind::Unsupported | ErrorKind::Template | ErrorKind::ContextFull => false,
    }
}
