//! The dialog of settings: how to answer, how it looks, what is kept.

use super::modal::Modal;
use crate::page::{Dialog, Page};
use crate::state::number_settings::{CONTEXT, NumberSetting, SAMPLING};
use crate::state::load::place;
use crate::state::settings::{Settings as Values, Theme};
use leptos::prelude::*;
use protocol::{BackendWish, CacheType, ModelInfo};
use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement};

/// The dialog on the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Modal
            title="Settings"
            open=page.is_shown(Dialog::Settings)
            on_close=Callback::new(move |()| page.dialog.set(None))
        >
            <Settings
                values=page.select(|state| state.settings.clone())
                model=page.select(|state| state.model.as_ref().map(|model| model.info.clone()))
                on_change=Callback::new(move |settings| page.set_settings(settings))
                on_reload=Callback::new(move |()| page.reload_model())
                on_export=Callback::new(move |()| page.export())
                on_import=Callback::new(move |file| page.import(file))
            />
        </Modal>
    }
}

/// The dialog's content.
#[component]
pub fn Settings(
    #[prop(into)] values: Signal<Values>,
    /// The model that answers; none while there is none.
    #[prop(into)]
    model: Signal<Option<ModelInfo>>,
    on_change: Callback<Values>,
    on_reload: Callback<()>,
    on_export: Callback<()>,
    on_import: Callback<File>,
) -> impl IntoView {
    let number = move |setting: &'static NumberSetting| view! { <Number setting values on_change /> };
    let reset = move |_| on_change.run(values.with_untracked(Values::with_default_numbers));
    let now = move |describe: fn(&ModelInfo) -> String| {
        let text = move || model.with(|model| model.as_ref().map(describe));
        let reload = move |text: String| {
            view! {
                <p class="settings__now">
                    {text}
                    <button class="button" on:click=move |_| on_reload.run(())>
                        "Reload the model"
                    </button>
                </p>
            }
        };
        move || text().map(reload)
    };
    view! {
        <div class="settings">
            <SystemPrompt values on_change />
            <h3>"Sampling"</h3>
            <div class="settings__grid">{SAMPLING.iter().map(number).collect_view()} <Seed values on_change /></div>
            <h3>"Context"</h3>
            <div class="settings__grid">
                {number(&CONTEXT)} {now(context)}
            </div>
            <Choices label="Cache" choices=CACHES field=|values| &mut values.cache values on_change />
            <small>"q8_0 takes half the memory, and is a little less exact. The GPU always keeps f16."</small>
            <button class="button" on:click=reset>
                "Reset sampling and context"
            </button>
            <h3>"Appearance"</h3>
            <Choices label="Theme" choices=THEMES field=|values| &mut values.theme values on_change />
            <h3>"Speed"</h3>
            <Choices label="Where models run" choices=PLACES field=|values| &mut values.backend values on_change />
            {now(place)}
            <div class="settings__row">
                <a class="button" href="#/bench">
                    "Measure this device"
                </a>
                <small>"How fast models run here, in a page of its own."</small>
            </div>
            <h3>"Conversations"</h3>
            <TransferButtons on_export on_import />
        </div>
    }
}

/// The values with one change.
fn with(values: Signal<Values>, change: impl FnOnce(&mut Values)) -> Values {
    let mut values = values.get_untracked();
    change(&mut values);
    values
}

#[component]
fn SystemPrompt(values: Signal<Values>, on_change: Callback<Values>) -> impl IntoView {
    let changed = move |event: web_sys::Event| {
        let text = event_target_value(&event);
        on_change.run(with(values, |values| values.system_prompt = text));
    };
    view! {
        <label class="settings__wide">
            "System prompt"
            <textarea
                class="field"
                rows="3"
                placeholder="You are a helpful assistant."
                prop:value=move || values.with(|values| values.system_prompt.clone())
                on:input=changed
            ></textarea>
            <small>"Said to the model before every conversation."</small>
        </label>
    }
}

/// A number. What it does not accept does not count; the field shows that, and the range.
#[component]
fn Number(setting: &'static NumberSetting, values: Signal<Values>, on_change: Callback<Values>) -> impl IntoView {
    let changed = move |event: web_sys::Event| {
        let number = target(&event).value_as_number();
        if setting.accepts(number) {
            on_change.run(with(values, |values| (setting.set)(values, number)));
        }
    };
    view! {
        <label class="settings__number">
            {setting.label}
            <input
                class="field"
                type="number"
                required
                min=setting.min.to_string()
                max=setting.max.to_string()
                step=setting.step.to_string()
                prop:value=move || values.with(|values| (setting.get)(values).to_string())
                on:change=changed
            />
            <small>{setting.hint}</small>
            <small class="settings__range">{setting.range()}</small>
        </label>
    }
}

/// A seed, or none.
#[component]
fn Seed(values: Signal<Values>, on_change: Callback<Values>) -> impl IntoView {
    let text = move || values.with(|values| values.sampling.seed.map(|seed| seed.to_string()).unwrap_or_default());
    let changed = move |event: web_sys::Event| {
        let typed = event_target_value(&event);
        match typed.trim() {
            "" => on_change.run(with(values, |values| values.sampling.seed = None)),
            digits => {
                if let Ok(seed) = digits.parse() {
                    on_change.run(with(values, |values| values.sampling.seed = Some(seed)));
                }
            }
        }
    };
    view! {
        <label class="settings__number">
            "Seed"
            <input
                class="field"
                inputmode="numeric"
                pattern="[0-9]{1,19}"
                placeholder="random"
                prop:value=text
                on:change=changed
            />
            <small>"The same seed draws the same reply."</small>
        </label>
    }
}

/// One of a few; `field` is where the setting stands.
#[component]
fn Choices<T: Copy + PartialEq + Send + Sync + 'static, const N: usize>(
    label: &'static str,
    choices: [(T, &'static str); N],
    field: fn(&mut Values) -> &mut T,
    values: Signal<Values>,
    on_change: Callback<Values>,
) -> impl IntoView {
    let choice = move |(value, word): (T, &'static str)| {
        view! {
            <label class="settings__check">
                <input
                    type="radio"
                    name=label
                    prop:checked=move || *field(&mut values.get()) == value
                    on:change=move |_| on_change.run(with(values, |values| *field(values) = value))
                />
                {word}
            </label>
        }
    };
    view! {
        <div class="settings__row" role="radiogroup" aria-label=label>
            {choices.map(choice).collect_view()}
        </div>
    }
}

const THEMES: [(Theme, &str); 3] = [(Theme::System, "As the system"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];

const PLACES: [(BackendWish, &str); 3] =
    [(BackendWish::Best, "Where it is fastest"), (BackendWish::Gpu, "On the GPU"), (BackendWish::Cpu, "On the CPU")];

const CACHES: [(CacheType, &str); 2] = [(CacheType::F16, "Cache f16"), (CacheType::Q8_0, "Cache q8_0")];

/// How much the model holds in mind, and how.
fn context(model: &ModelInfo) -> String {
    format!("The model now has {} tokens, kept as {}. ", model.context_tokens, model.cache.name())
}

#[component]
fn TransferButtons(on_export: Callback<()>, on_import: Callback<File>) -> impl IntoView {
    let chosen = move |event: web_sys::Event| {
        if let Some(file) = target(&event).files().and_then(|files| files.get(0)) {
            on_import.run(file);
        }
    };
    view! {
        <div class="settings__row">
            <button class="button" on:click=move |_| on_export.run(())>
                "Export all"
            </button>
            <label class="button">
                "Import…"
                <input
                    class="visually-hidden"
                    type="file"
                    accept=".json,application/json"
                    aria-label="Import conversations"
                    on:change=chosen
                />
            </label>
        </div>
    }
}

fn target(event: &web_sys::Event) -> HtmlInputElement {
    event.target().expect("a control's event has a target").unchecked_into()
}
