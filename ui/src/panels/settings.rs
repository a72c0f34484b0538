//! The dialog of settings: how to answer, how it looks, what is kept.

use crate::state::settings::{Settings as Values, Theme};
use engine::protocol::Sampling;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement};

/// The dialog's content.
#[component]
pub fn Settings(
    #[prop(into)] values: Signal<Values>,
    /// The context of the model that answers; none while there is none.
    #[prop(into)]
    context_tokens: Signal<Option<u32>>,
    /// Whether the model that answers can think.
    #[prop(into)]
    can_think: Signal<bool>,
    on_change: Callback<Values>,
    on_reload: Callback<()>,
    on_export: Callback<()>,
    on_import: Callback<File>,
) -> impl IntoView {
    let set = move |change: &dyn Fn(&mut Values)| {
        let mut new = values.get_untracked();
        change(&mut new);
        on_change.run(new);
    };
    let whole = move |label, hint, max, get: fn(&Values) -> u32, put: fn(&mut Values, u32)| {
        let value = Signal::derive(move || values.with(|values| f64::from(get(values))));
        view! { <Number label hint min=0.0 max step=1.0 value on_change=Callback::new(move |n: f64| set(&|values| put(values, n as u32))) /> }
    };
    let real = move |label, hint, range: Range, get: fn(&Sampling) -> f32, put: fn(&mut Sampling, f32)| {
        let value = Signal::derive(move || values.with(|values| readable(get(&values.sampling))));
        view! {
            <Number label hint min=range.min max=range.max step=range.step value on_change=Callback::new(move |n: f64| set(&|values| put(&mut values.sampling, n as f32))) />
        }
    };
    view! {
        <div class="settings">
            <label class="settings__wide">
                "System prompt"
                <textarea
                    class="field"
                    rows="3"
                    placeholder="You are a helpful assistant."
                    prop:value=move || values.with(|values| values.system_prompt.clone())
                    on:input=move |event| {
                        let text = event_target_value(&event);
                        set(&|values| values.system_prompt.clone_from(&text));
                    }
                ></textarea>
                <small>"Said to the model before every conversation."</small>
            </label>
            <Show when=move || can_think.get()>
                <label class="settings__check">
                    <input
                        type="checkbox"
                        prop:checked=move || values.with(|values| values.thinking)
                        on:change=move |event| {
                            let on = event_target_checked(&event);
                            set(&|values| values.thinking = on);
                        }
                    />
                    "Let the model think before it answers"
                </label>
            </Show>
            <h3>"Sampling"</h3>
            <div class="settings__grid">
                {real("Temperature", "0 always takes the most likely token.", Range::new(0.0, 2.0, 0.05), |s| s.temperature, |s, n| s.temperature = n)}
                {whole("Top-k", "Only the k most likely tokens; 0 for all.", 1000.0, |v| v.sampling.top_k, |v, n| v.sampling.top_k = n)}
                {real("Top-p", "Only the most likely tokens that together reach p.", Range::new(0.0, 1.0, 0.01), |s| s.top_p, |s, n| s.top_p = n)}
                {real("Min-p", "Only tokens at least p times as likely as the first.", Range::new(0.0, 1.0, 0.01), |s| s.min_p, |s, n| s.min_p = n)}
                {real("Repeat penalty", "Above 1 avoids recent tokens.", Range::new(0.5, 2.0, 0.01), |s| s.repeat_penalty, |s, n| s.repeat_penalty = n)}
                {real("Frequency penalty", "For every earlier appearance.", Range::new(-2.0, 2.0, 0.05), |s| s.frequency_penalty, |s, n| s.frequency_penalty = n)}
                {real("Presence penalty", "For having appeared at all.", Range::new(-2.0, 2.0, 0.05), |s| s.presence_penalty, |s, n| s.presence_penalty = n)}
                {whole("Penalty window", "How many of the last tokens the penalties look at.", 4096.0, |v| v.sampling.penalty_last_n, |v, n| v.sampling.penalty_last_n = n)}
                <Seed values set=Callback::new(move |seed| set(&|values| values.sampling.seed = seed)) />
                {whole("Longest reply", "In tokens; 0 for as long as the context allows.", 100_000.0, |v| v.max_tokens, |v, n| v.max_tokens = n)}
            </div>
            <h3>"Context"</h3>
            <div class="settings__grid">
                {whole("Context size", "In tokens. A larger one needs more memory.", 131_072.0, |v| v.context_tokens, |v, n| v.context_tokens = n.max(256))}
                {move || context_tokens.get().map(|now| view! {
                    <p class="settings__now">
                        {format!("The model now has {now} tokens. ")}
                        <button class="button" on:click=move |_| on_reload.run(())>"Reload the model"</button>
                    </p>
                })}
            </div>
            <button class="button" on:click=move |_| on_change.run(Values { theme: values.with_untracked(|v| v.theme), keep: values.with_untracked(|v| v.keep), system_prompt: values.with_untracked(|v| v.system_prompt.clone()), ..Values::default() })>
                "Reset sampling and context"
            </button>
            <h3>"Appearance"</h3>
            <Themes values set=Callback::new(move |theme| set(&|values| values.theme = theme)) />
            <h3>"Conversations"</h3>
            <Exchange on_export on_import />
        </div>
    }
}

/// What a number may be.
#[derive(Clone, Copy)]
struct Range {
    min: f64,
    max: f64,
    step: f64,
}

impl Range {
    const fn new(min: f64, max: f64, step: f64) -> Self {
        Self { min, max, step }
    }
}

/// A labelled number. What is outside the range does not count, and the field says so.
#[component]
fn Number(
    label: &'static str,
    hint: &'static str,
    min: f64,
    max: f64,
    step: f64,
    value: Signal<f64>,
    on_change: Callback<f64>,
) -> impl IntoView {
    let changed = move |event: web_sys::Event| {
        let input: HtmlInputElement = event.target().expect("a control's event has a target").unchecked_into();
        let number = input.value_as_number();
        if number.is_finite() && (min..=max).contains(&number) {
            on_change.run(number);
        }
    };
    view! {
        <label class="settings__number">
            {label}
            <input
                class="field"
                type="number"
                min=min.to_string()
                max=max.to_string()
                step=step.to_string()
                prop:value=move || value.get().to_string()
                on:change=changed
            />
            <small>{hint}</small>
        </label>
    }
}

/// A seed, or none.
#[component]
fn Seed(values: Signal<Values>, set: Callback<Option<u64>>) -> impl IntoView {
    let text = move || values.with(|values| values.sampling.seed.map(|seed| seed.to_string()).unwrap_or_default());
    view! {
        <label class="settings__number">
            "Seed"
            <input
                class="field"
                inputmode="numeric"
                pattern="[0-9]*"
                placeholder="random"
                prop:value=text
                on:change=move |event| set.run(event_target_value(&event).trim().parse().ok())
            />
            <small>"The same seed draws the same reply."</small>
        </label>
    }
}

#[component]
fn Themes(values: Signal<Values>, set: Callback<Theme>) -> impl IntoView {
    let choice = move |theme: Theme| {
        let word = match theme {
            Theme::System => "As the system",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        };
        view! {
            <label class="settings__check">
                <input
                    type="radio"
                    name="theme"
                    prop:checked=move || values.with(|values| values.theme == theme)
                    on:change=move |_| set.run(theme)
                />
                {word}
            </label>
        }
    };
    view! {
        <div class="settings__row" role="radiogroup" aria-label="Theme">
            {Theme::ALL.map(choice).collect_view()}
        </div>
    }
}

#[component]
fn Exchange(on_export: Callback<()>, on_import: Callback<File>) -> impl IntoView {
    let chosen = move |event: web_sys::Event| {
        let input: HtmlInputElement = event.target().expect("a control's event has a target").unchecked_into();
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            on_import.run(file);
        }
    };
    view! {
        <div class="settings__row">
            <button class="button" on:click=move |_| on_export.run(())>"Export all"</button>
            <label class="button">
                "Import…"
                <input class="visually-hidden" type="file" accept=".json,application/json" aria-label="Import conversations" on:change=chosen />
            </label>
        </div>
    }
}

/// 0.7 as `f32` is 0.699999988 as `f64`; people typed 0.7.
fn readable(number: f32) -> f64 {
    number.to_string().parse().expect("a number's text is a number")
}
