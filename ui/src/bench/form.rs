//! The form that asks for a measurement: what an address can ask for, as fields.

use super::state::Page;
use crate::catalogue::{ENTRIES, Entry};
use crate::format;
use crate::text;
use leptos::prelude::*;
use protocol::CacheType;

/// The form. Its button starts, and then stops.
#[component]
pub fn Form(page: Page, is_running: Memo<bool>) -> impl IntoView {
    let begin = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if is_running.get_untracked() { page.stop() } else { page.begin_form() }
    };
    view! {
        <form class="bench__form" on:submit=begin>
            <Model page is_running />
            <Field page is_running name="pp" label=text::bench::PROMPT hint=text::bench::PROMPT_MEANING />
            <Field page is_running name="tg" label=text::bench::REPLY hint=text::bench::REPLY_MEANING />
            <Field page is_running name="depth" label=text::bench::DEPTH hint=text::bench::DEPTH_MEANING />
            <Field page is_running name="reps" label=text::bench::REPETITIONS hint=text::bench::REPETITIONS_MEANING />
            <Field page is_running name="threads" label=text::bench::THREADS hint=text::bench::THREADS_MEANING />
            <Choice page is_running name="cache" label=text::bench::CACHE options=Signal::stored(caches()) />
            <Choice page is_running name="backend" label=text::bench::RUNS_ON options=Signal::stored(backends()) />
            <Choice page is_running name="variant" label=text::bench::BUILD options=Signal::derive(move || builds(page)) />
            <Choice page is_running name="profile" label=text::bench::PROFILE options=Signal::stored(profiles()) />
            <button class="button button--primary bench__go" type="submit">
                {move || if is_running.get() { text::bench::STOP } else { text::bench::START }}
            </button>
        </form>
    }
}

fn caches() -> Vec<(String, String)> {
    CacheType::ALL.map(|cache| (cache.name().to_owned(), cache.name().to_owned())).to_vec()
}

fn backends() -> Vec<(String, String)> {
    [("best", text::bench::FASTER), ("cpu", "CPU"), ("gpu", "GPU")].map(|(v, t)| (v.to_owned(), t.to_owned())).to_vec()
}

fn profiles() -> Vec<(String, String)> {
    [("", text::bench::NO), ("1", text::bench::YES)].map(|(v, t)| (v.to_owned(), t.to_owned())).to_vec()
}

fn builds(page: Page) -> Vec<(String, String)> {
    let fastest = (String::new(), text::bench::FASTEST.to_owned());
    let others = page.variants.get().into_iter().map(|name| (name.clone(), name));
    std::iter::once(fastest).chain(others).collect()
}

#[component]
fn Field(
    page: Page,
    is_running: Memo<bool>,
    name: &'static str,
    label: &'static str,
    hint: &'static str,
) -> impl IntoView {
    view! {
        <label class="bench__field">
            {label}
            <input
                class="field"
                name=name
                inputmode="numeric"
                autocomplete="off"
                disabled=is_running
                prop:value=move || page.field(name)
                on:input=move |event| page.set_field(name, event_target_value(&event))
            />
            <small>{hint}</small>
        </label>
    }
}

#[component]
fn Model(page: Page, is_running: Memo<bool>) -> impl IntoView {
    let option = |entry: &'static Entry| {
        view! { <option value=entry.id>{format!("{}, {}", entry.name, format::bytes(entry.size_bytes))}</option> }
    };
    view! {
        <label class="bench__field bench__field--wide">
            {text::bench::MODEL}
            <input
                class="field"
                name="model"
                list="bench-models"
                autocapitalize="off"
                autocomplete="off"
                spellcheck="false"
                disabled=is_running
                prop:value=move || page.field("model")
                on:input=move |event| page.set_field("model", event_target_value(&event))
            />
            <datalist id="bench-models">{ENTRIES.iter().map(option).collect_view()}</datalist>
            <small>{text::bench::MODEL_MEANING}</small>
        </label>
    }
}

#[component]
fn Choice(
    page: Page,
    is_running: Memo<bool>,
    name: &'static str,
    label: &'static str,
    /// Values and their words.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
) -> impl IntoView {
    let option = move |(value, words): (String, String)| {
        let chosen = value.clone();
        view! {
            <option value=value prop:selected=move || page.field(name) == chosen>
                {words}
            </option>
        }
    };
    view! {
        <label class="bench__field">
            {label}
            <select
                class="field"
                name=name
                disabled=is_running
                on:change=move |event| page.set_field(name, event_target_value(&event))
            >
                {move || options.get().into_iter().map(option).collect_view()}
            </select>
        </label>
    }
}
