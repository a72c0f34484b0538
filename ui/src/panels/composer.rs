//! The box at the bottom: write, send, stop; how fast the reply comes and how full the context is.

use super::icon::{Glyph, Icon};
use crate::browser;
use crate::format;
use crate::page::Page;
use crate::state::{Phase, State};
use crate::text;
use leptos::prelude::*;

/// What the round button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    Send,
    Stop,
    /// It was asked to stop, and will.
    Stopping,
}

/// The box at the bottom of the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Composer
            draft=page.select(|state| state.drafts.get(&state.draft_key()).cloned().unwrap_or_default())
            button=page.select(button)
            speed=page.select(speed)
            thinking=page.select(thinking)
            context=page.select(context)
            on_draft=Callback::new(move |text| page.set_draft(text))
            on_send=Callback::new(move |text| page.send(text))
            on_stop=Callback::new(move |()| page.stop())
            on_thinking=Callback::new(move |on| page.set_thinking(on))
        />
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
    per_sec.is_finite().then(|| text::composer::speed(&format::rate(per_sec)))
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

/// The box at the bottom.
#[component]
pub fn Composer(
    #[prop(into)] draft: Signal<String>,
    #[prop(into)] button: Signal<Button>,
    /// How fast the reply comes, or came.
    #[prop(into)]
    speed: Signal<Option<String>>,
    /// Whether the model shall think; none if it cannot.
    #[prop(into)]
    thinking: Signal<Option<bool>>,
    /// Tokens used, of how many.
    #[prop(into)]
    context: Signal<Option<(u32, u32)>>,
    on_draft: Callback<String>,
    on_send: Callback<String>,
    on_stop: Callback<()>,
    on_thinking: Callback<bool>,
) -> impl IntoView {
    let send = move || {
        let text = draft.get_untracked();
        if button.get_untracked() == Button::Send && !text.trim().is_empty() {
            on_send.run(text);
        }
    };
    let on_key = move |event: web_sys::KeyboardEvent| {
        if is_send_key(&event) {
            event.prevent_default();
            send();
        }
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        match button.get_untracked() {
            Button::Send => send(),
            Button::Stop => on_stop.run(()),
            Button::Stopping => {}
        }
    };
    let can_press = Memo::new(move |_| match button.get() {
        Button::Send => draft.with(|text| !text.trim().is_empty()),
        Button::Stop => true,
        Button::Stopping => false,
    });
    view! {
        <form class="composer" on:submit=submit>
            <div class="composer__box">
                <div class="grow" data-text=draft>
                    <textarea
                        class="grow__text"
                        rows="1"
                        aria-label=text::composer::MESSAGE
                        placeholder=text::composer::MESSAGE
                        enterkeyhint=if browser::has_touch() { "enter" } else { "send" }
                        prop:value=draft
                        on:input=move |event| on_draft.run(event_target_value(&event))
                        on:keydown=on_key
                    ></textarea>
                </div>
                // One button, so that the focus stays where it is when its meaning changes.
                <button
                    class="button button--round"
                    class:button--primary=move || button.get() == Button::Send
                    type="submit"
                    aria-label=move || if button.get() == Button::Send { text::composer::SEND } else { text::composer::STOP }
                    aria-disabled=move || (!can_press.get()).to_string()
                >
                    {move || if button.get() == Button::Send {
                        view! { <Icon glyph=Glyph::Send /> }
                    } else {
                        view! { <Icon glyph=Glyph::Stop /> }
                    }}
                </button>
            </div>
            <div class="composer__foot">
                {move || thinking.get().map(|on| view! { <ThinkingSwitch on on_thinking /> })}
                <span data-testid="speed">{speed}</span>
                {move || context.get().map(|(used, total)| view! { <ContextMeter used total /> })}
            </div>
        </form>
    }
}

/// Lets the model think before it answers, or not.
#[component]
fn ThinkingSwitch(on: bool, on_thinking: Callback<bool>) -> impl IntoView {
    view! {
        <label class="composer__thinking">
            <input
                type="checkbox"
                prop:checked=on
                on:change=move |event| on_thinking.run(event_target_checked(&event))
            />
            {text::composer::THINK_FIRST}
        </label>
    }
}

/// How full the context is.
#[component]
fn ContextMeter(used: u32, total: u32) -> impl IntoView {
    let percent = f64::from(used) * 100.0 / f64::from(total.max(1));
    let is_full = percent > 90.0;
    let numbers = text::composer::used_of(&format::count(used), &format::count(total));
    view! {
        <span class="composer__context" data-testid="context" title=text::composer::CONTEXT_MEANING>
            <span>{numbers} <span class="composer__unit">{text::composer::TOKENS}</span></span>
            <span
                class="composer__meter"
                class:composer__meter--full=is_full
                role="meter"
                aria-label=text::composer::CONTEXT_USED
                aria-valuemin="0"
                aria-valuemax=total
                aria-valuenow=used
            >
                <i style:width=format!("{percent:.1}%")></i>
            </span>
        </span>
    }
}

/// Enter sends, Shift+Enter makes a new line. On a touch keyboard Enter makes a new line, and the button sends. While
/// an input method composes, Enter belongs to it; Safari tells that only by the old key code 229.
pub fn is_send_key(event: &web_sys::KeyboardEvent) -> bool {
    const COMPOSING: u32 = 229;
    let composing = event.is_composing() || event.key_code() == COMPOSING;
    event.key() == "Enter" && !event.shift_key() && !composing && (event.ctrl_key() || !browser::has_touch())
}
