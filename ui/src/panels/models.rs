//! The dialog where a model is chosen: on this device, recommended, from Hugging Face, from an address, from a file.

use super::icon::{Glyph, Icon};
use super::modal::Modal;
use crate::browser;
use crate::catalogue::{self, ENTRIES};
use crate::format;
use crate::hub::{self, HubFile, Typed};
use crate::page::{Dialog, Page};
use crate::state::{StoredModels, is_whole};
use crate::text;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{Source, StoredModel};
use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement};

/// The dialog on the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Modal
            title=text::models::MODELS
            open=page.is_shown(Dialog::Models)
            on_close=Callback::new(move |()| page.dialog.set(None))
        >
            <Models
                base=page.state.with_untracked(|state| state.base.clone())
                stored_models=page.select(|state| state.stored_models.clone())
                stored_models_failure=page.select(|state| state.stored_models_failure.clone())
                loaded=page.select(|state| state.model.as_ref().map(|model| model.options.source.clone()))
                busy=page.select(|state| state.load.is_some())
                keep=page.select(|state| state.settings.keep)
                on_load=Callback::new(move |source| page.load(source))
                on_file=Callback::new(move |file| page.load_file(file))
                on_delete=Callback::new(move |id| page.delete_model(id))
                on_keep=Callback::new(move |keep| page.set_keep(keep))
            />
        </Modal>
    }
}

/// The dialog's content.
#[component]
pub fn Models(
    /// The page's folder.
    base: String,
    #[prop(into)] stored_models: Signal<Option<StoredModels>>,
    #[prop(into)] stored_models_failure: Signal<Option<String>>,
    /// The model that answers.
    #[prop(into)]
    loaded: Signal<Option<Source>>,
    /// A model is on its way, and only one can be.
    #[prop(into)]
    busy: Signal<bool>,
    #[prop(into)] keep: Signal<bool>,
    on_load: Callback<Source>,
    on_file: Callback<File>,
    on_delete: Callback<String>,
    on_keep: Callback<bool>,
) -> impl IntoView {
    let base = StoredValue::new(base);
    let models = Memo::new(move |_| {
        stored_models.with(|stored_models| stored_models.as_ref().map(|s| s.models.clone()).unwrap_or_default())
    });
    let is_here = move |source: &Source| {
        models.with(|models| models.iter().any(|model| model.source == *source && is_whole(model)))
    };
    let offers = move || {
        let entry = |entry: &'static catalogue::Entry| {
            let source = entry.source(&base.get_value());
            let details = format!("{} · {}", format::bytes(entry.size_bytes), entry.licence);
            view! { <Offer name=entry.name.to_owned() details note=entry.note source busy loaded on_load /> }
        };
        ENTRIES.iter().filter(|entry| !is_here(&entry.source(&base.get_value()))).map(entry).collect_view()
    };
    view! {
        <div class="models">
            <Show when=move || busy.get()>
                <p role="status">{text::models::BUSY}</p>
            </Show>
            {move || stored_models_failure.get().map(|text| view! { <p class="models__trouble" role="alert">{text}</p> })}
            <Show when=move || models.with(|models| !models.is_empty())>
                <h3>{text::models::ON_THIS_DEVICE}</h3>
                <ul class="models__list" aria-label=text::models::ON_THIS_DEVICE>
                    <For each=move || models.get() key=|model| (model.id.clone(), model.stored_bytes) let:model>
                        <Kept model base=base.get_value() busy loaded on_load on_delete />
                    </For>
                </ul>
            </Show>
            <p class="models__note" data-testid="storage">{move || stored_models.with(|stored_models| room(stored_models.as_ref()))}</p>
            <h3>{text::models::RECOMMENDED}</h3>
            <ul class="models__list" aria-label=text::models::RECOMMENDED>{offers}</ul>
            <FromHub busy loaded on_load />
            <FromAddress busy on_load />
            <FromFile busy on_file />
            <label class="models__keep">
                <input
                    type="checkbox"
                    prop:checked=keep
                    on:change=move |event| on_keep.run(event_target_checked(&event))
                />
                {text::models::KEEP_MODELS}
            </label>
        </div>
    }
}

/// A model that can be fetched.
#[component]
fn Offer(
    name: String,
    details: String,
    note: &'static str,
    source: Source,
    busy: Signal<bool>,
    loaded: Signal<Option<Source>>,
    on_load: Callback<Source>,
) -> impl IntoView {
    view! {
        <li class="models__row">
            <div class="models__words">
                <strong>{name.clone()}</strong>
                <span>{details}</span>
                <span class="models__note">{note}</span>
            </div>
            <LoadButton name source busy loaded on_load />
        </li>
    }
}

/// A model on this device.
#[component]
fn Kept(
    model: StoredModel,
    base: String,
    busy: Signal<bool>,
    loaded: Signal<Option<Source>>,
    on_load: Callback<Source>,
    on_delete: Callback<String>,
) -> impl IntoView {
    let sure = RwSignal::new(false);
    let delete = NodeRef::<html::Button>::new();
    Effect::new(move |_| delete.get().map(browser::focus_element));
    let name = catalogue::name(&model.source, &base);
    let details = if is_whole(&model) {
        format::bytes(model.stored_bytes)
    } else {
        text::models::part_is_here(&format::bytes(model.stored_bytes), &format::bytes(model.total_bytes))
    };
    let origin = match &model.source {
        Source::Hub { repo, file, .. } => catalogue::clean(&format!("{repo} · {file}")),
        Source::Url(url) if url.starts_with(&base) => text::models::COMES_WITH_PAGE.to_owned(),
        Source::Url(url) => catalogue::clean(url),
        Source::Local { .. } => text::models::FROM_DISK.to_owned(),
    };
    let label = text::models::delete(&name);
    let id = StoredValue::new(model.id);
    view! {
        <li class="models__row">
            <div class="models__words">
                <strong>{name.clone()}</strong>
                <span>{details}</span>
                <span class="models__note">{origin}</span>
            </div>
            <Show
                when=move || sure.get()
                fallback=move || {
                    view! {
                        <button class="button button--icon" aria-label=label.clone() on:click=move |_| sure.set(true)>
                            <Icon glyph=Glyph::Trash />
                        </button>
                    }
                }
            >
                <span class="models__sure" role="group" aria-label=text::models::DELETE_THIS_MODEL>
                    <button
                        class="button button--danger"
                        node_ref=delete
                        on:click=move |_| on_delete.run(id.get_value())
                    >
                        {text::models::DELETE}
                    </button>
                    <button class="button" on:click=move |_| sure.set(false)>
                        {text::models::KEEP}
                    </button>
                </span>
            </Show>
            <LoadButton name source=model.source busy loaded on_load />
        </li>
    }
}

#[component]
fn LoadButton(
    name: String,
    source: Source,
    busy: Signal<bool>,
    loaded: Signal<Option<Source>>,
    on_load: Callback<Source>,
) -> impl IntoView {
    let source = StoredValue::new(source);
    let is_loaded = Memo::new(move |_| loaded.with(|loaded| loaded.as_ref() == Some(&source.get_value())));
    let word = move || if is_loaded.get() { text::models::RELOAD } else { text::models::LOAD };
    view! {
        <button
            class="button"
            aria-label=move || format!("{} {name}", word())
            disabled=busy
            on:click=move |_| on_load.run(source.get_value())
        >
            {word}
        </button>
    }
}

/// How much room there is, in a line that is always there: what is below it must not move under a finger.
fn room(stored_models: Option<&StoredModels>) -> String {
    let Some(StoredModels { used_bytes, quota_bytes, .. }) = stored_models else {
        return text::models::LOOKING.to_owned();
    };
    match quota_bytes {
        0 => text::models::used(&format::bytes(*used_bytes)),
        quota => text::models::used_of(&format::bytes(*used_bytes), &format::bytes(*quota)),
    }
}

/// What came of asking for a repository's files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Listing {
    Nothing,
    /// The question of this number.
    Asking(u32),
    Files {
        repo: String,
        revision: String,
        files: Vec<HubFile>,
    },
    Failed(String),
}

/// Any repository on Hugging Face.
#[component]
fn FromHub(busy: Signal<bool>, loaded: Signal<Option<Source>>, on_load: Callback<Source>) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let listing = RwSignal::new(Listing::Nothing);
    let n_asked = StoredValue::new(0);
    let ask = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let hub = hub::address();
        match hub::read(&typed.get_untracked(), &hub) {
            Some(Typed::File(source)) if !busy.get_untracked() => on_load.run(source),
            Some(Typed::File(_)) => {}
            Some(Typed::Repo { repo, revision }) => {
                n_asked.update_value(|n| *n += 1);
                let asking = Listing::Asking(n_asked.get_value());
                listing.set(asking.clone());
                spawn_local(async move {
                    let answer = match hub::files(&hub, &repo, &revision).await {
                        Ok(files) => Listing::Files { repo, revision, files },
                        Err(problem) => Listing::Failed(problem),
                    };
                    // The dialog may be closed by now, or something else be asked.
                    if listing.try_get_untracked() == Some(asking) {
                        listing.try_set(answer);
                    }
                });
            }
            None => listing.set(Listing::Failed(text::models::TYPE_A_REPOSITORY.to_owned())),
        }
    };
    let row = move |repo: &str, revision: &str, file: HubFile| {
        let (repo, revision) = (repo.to_owned(), revision.to_owned());
        let source = Source::Hub { repo, file: file.path.clone(), revision };
        let name = catalogue::clean(&file.path);
        view! { <Offer name details=format::bytes(file.size_bytes) note="" source busy loaded on_load /> }
    };
    let answer = move || match listing.get() {
        Listing::Nothing => ().into_any(),
        Listing::Asking(_) => view! {
            <div class="models__asking">
                <p role="status">{text::models::ASKING_HUGGING_FACE}</p>
                <button class="button" on:click=move |_| listing.set(Listing::Nothing)>
                    {text::models::CANCEL}
                </button>
            </div>
        }
        .into_any(),
        Listing::Failed(text) => view! { <p class="models__trouble" role="alert">{text}</p> }.into_any(),
        Listing::Files { repo, revision, files } => {
            let rows = files.into_iter().map(|file| row(&repo, &revision, file)).collect_view();
            view! { <ul class="models__list" aria-label=text::models::FILES>{rows}</ul> }.into_any()
        }
    };
    view! {
        <h3>{text::models::FROM_HUGGING_FACE}</h3>
        <form class="models__ask" on:submit=ask>
            <input
                class="field"
                aria-label=text::models::HUGGING_FACE_REPOSITORY
                placeholder=text::models::REPOSITORY_EXAMPLE
                autocapitalize="off"
                autocomplete="off"
                spellcheck="false"
                prop:value=typed
                on:input=move |event| typed.set(event_target_value(&event))
            />
            <button class="button" type="submit">{text::models::LIST_FILES}</button>
        </form>
        {answer}
    }
}

/// Any address that serves a file.
#[component]
fn FromAddress(busy: Signal<bool>, on_load: Callback<Source>) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let trouble = RwSignal::new(None::<String>);
    let load = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let address = typed.get_untracked();
        if busy.get_untracked() || address.trim().is_empty() {
            return;
        }
        let source = hub::read_address(&address, &hub::address());
        trouble.set(source.as_ref().err().cloned());
        if let Ok(source) = source {
            on_load.run(source);
        }
    };
    view! {
        <h3>{text::models::FROM_AN_ADDRESS}</h3>
        <form class="models__ask" novalidate on:submit=load>
            <input
                class="field"
                type="url"
                aria-label=text::models::ADDRESS_OF_A_GGUF_FILE
                placeholder=text::models::ADDRESS_EXAMPLE
                prop:value=typed
                on:input=move |event| typed.set(event_target_value(&event))
            />
            <button class="button" type="submit" disabled=busy aria-label=text::models::LOAD_FROM_ADDRESS>{text::models::LOAD}</button>
        </form>
        {move || trouble.get().map(|text| view! { <p class="models__trouble" role="alert">{text}</p> })}
    }
}

/// A file from the person's own disk.
#[component]
fn FromFile(busy: Signal<bool>, on_file: Callback<File>) -> impl IntoView {
    let chosen = move |event: web_sys::Event| {
        let input: HtmlInputElement = event.target().expect("a control's event has a target").unchecked_into();
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            on_file.run(file);
        }
    };
    view! {
        <h3>{text::models::FROM_A_FILE}</h3>
        <label class="models__file">
            <input type="file" accept=".gguf" aria-label=text::models::GGUF_FILE disabled=busy on:change=chosen />
            <span class="models__note">{text::models::OR_DROP}</span>
        </label>
    }
}
