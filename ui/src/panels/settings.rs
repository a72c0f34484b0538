//! The dialog of settings: how to answer, how it looks, what is kept.

use super::modal::Modal;
use crate::page::{Dialog, Page};
use crate::state::load::place;
use crate::state::number_settings::{CONTEXT, NumberSetting, SAMPLING};
use crate::state::settings::{Settings as Values, Theme};
use crate::text;
use leptos::prelude::*;
use protocol::{BackendWish, CacheType, ModelInfo};
use wasm_bindgen::JsCast;
use web_sys::{File, HtmlInputElement};

/// The dialog on the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Modal
            title=text::settings::SETTINGS
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
                        {text::settings::RELOAD_THE_MODEL}
                    </button>
                </p>
            }
        };
        move || text().map(reload)
    };
    view! {
        <div class="settings">
            <SystemPrompt values on_change />
            <h3>{text::settings::SAMPLING}</h3>
            <div class="settings__grid">{SAMPLING.iter().map(number).collect_view()} <Seed values on_change /></div>
            <h3>{text::settings::CONTEXT}</h3>
            <div class="settings__grid">
                {number(&CONTEXT)} {now(context)}
            </div>
            <Choices label=text::settings::CACHE choices=CACHES field=|values| &mut values.cache values on_change />
            <small>{text::settings::CACHE_MEANING}</small>
            <button class="button" on:click=reset>
                {text::settings::RESET_SAMPLING_AND_CONTEXT}
            </button>
            <h3>{text::settings::APPEARANCE}</h3>
            <Choices label=text::settings::THEME choices=THEMES field=|values| &mut values.theme values on_change />
            <h3>{text::settings::SPEED}</h3>
            <Choices label=text::settings::WHERE_MODELS_RUN choices=PLACES field=|values| &mut values.backend values on_change />
            {now(place)}
            <div class="settings__row">
                <a class="button" href="#/bench">
                    {text::settings::MEASURE_THIS_DEVICE}
                </a>
                <small>{text::settings::MEASURE_MEANING}</small>
            </div>
            <h3>{text::settings::CONVERSATIONS}</h3>
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
            {text::settings::SYSTEM_PROMPT}
            <textarea
                class="field"
                rows="3"
                placeholder=text::settings::SYSTEM_PROMPT_EXAMPLE
                prop:value=move || values.with(|values| values.system_prompt.clone())
                on:input=changed
            ></textarea>
            <small>{text::settings::SYSTEM_PROMPT_MEANING}</small>
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
            {text::settings::SEED}
            <input
                class="field"
                inputmode="numeric"
                pattern="[0-9]{1,19}"
                placeholder=text::settings::RANDOM
                prop:value=text
                on:change=changed
            />
            <small>{text::settings::SEED_MEANING}</small>
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

const THEMES: [(Theme, &str); 3] = [
    (Theme::System, text::settings::AS_THE_SYSTEM),
    (Theme::Light, text::settings::LIGHT),
    (Theme::Dark, text::settings::DARK),
];

const PLACES: [(BackendWish, &str); 3] = [
    (BackendWish::Best, text::settings::FASTEST),
    (BackendWish::Gpu, text::settings::GPU),
    (BackendWish::Cpu, text::settings::CPU),
];

const CACHES: [(CacheType, &str); 2] =
    [(CacheType::F16, text::settings::CACHE_F16), (CacheType::Q8_0, text::settings::CACHE_Q8_0)];

/// How much the model holds in mind, and how.
fn context(model: &ModelInfo) -> String {
    text::settings::context(model.context_tokens, model.cache.name())
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
                {text::settings::EXPORT_ALL}
            </button>
            <label class="button">
                {text::settings::IMPORT}
                <input
                    class="visually-hidden"
                    type="file"
                    accept=".json,application/json"
                    aria-label=text::settings::IMPORT_CONVERSATIONS
                    on:change=chosen
                />
            </label>
        </div>
    }
}

fn target(event: &web_sys::Event) -> HtmlInputElement {
    event.target().expect("a control's event has a target").unchecked_into()
}
