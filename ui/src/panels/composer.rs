//! The box at the bottom: write, send, stop; how fast the reply comes and how full the context is.

use super::icon::{Glyph, Icon};
use crate::browser;
use leptos::prelude::*;

/// What the round button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    Send,
    Stop,
    /// It was asked to stop, and will.
    Stopping,
}

/// The box at the bottom.
#[component]
pub fn Composer(
    #[prop(into)] draft: Signal<String>,
    #[prop(into)] button: Signal<Button>,
    /// How fast the reply comes, or came.
    #[prop(into)]
    speed: Signal<Option<String>>,
    /// Tokens used, of how many.
    #[prop(into)]
    context: Signal<Option<(u32, u32)>>,
    on_draft: Callback<String>,
    on_send: Callback<String>,
    on_stop: Callback<()>,
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
        send();
    };
    view! {
        <form class="composer" on:submit=submit>
            <div class="composer__box">
                <div class="grow" data-text=draft>
                    <textarea
                        class="grow__text"
                        rows="1"
                        aria-label="Message"
                        placeholder="Message"
                        enterkeyhint=if browser::has_touch() { "enter" } else { "send" }
                        prop:value=draft
                        on:input=move |event| on_draft.run(event_target_value(&event))
                        on:keydown=on_key
                    ></textarea>
                </div>
                <Show
                    when=move || button.get() == Button::Send
                    fallback=move || {
                        view! {
                            <button
                                class="button button--round"
                                type="button"
                                aria-label="Stop"
                                disabled=move || button.get() == Button::Stopping
                                on:click=move |_| on_stop.run(())
                            >
                                <Icon glyph=Glyph::Stop />
                            </button>
                        }
                    }
                >
                    <button
                        class="button button--round button--primary"
                        type="submit"
                        aria-label="Send"
                        disabled=move || draft.with(|text| text.trim().is_empty())
                    >
                        <Icon glyph=Glyph::Send />
                    </button>
                </Show>
            </div>
            <div class="composer__foot">
                <span data-testid="speed">{speed}</span>
                {move || context.get().map(|(used, total)| view! { <ContextMeter used total /> })}
            </div>
        </form>
    }
}

/// How full the context is.
#[component]
fn ContextMeter(used: u32, total: u32) -> impl IntoView {
    use crate::format::count;
    let text = format!("{} of {} tokens", count(used), count(total));
    view! {
        <label class="composer__context" data-testid="context" title="What the model has read of this conversation, and the most it can hold">
            {text}
            <meter aria-label="Context used" min="0" max=total.to_string() high=(f64::from(total) * 0.9).to_string() value=used.to_string()></meter>
        </label>
    }
}

/// Enter sends, Shift+Enter makes a new line. On a touch keyboard Enter makes a new line, and the button sends. While
/// an input method composes, Enter belongs to it; Safari tells that only by the old key code 229.
pub fn is_send_key(event: &web_sys::KeyboardEvent) -> bool {
    const COMPOSING: u32 = 229;
    let composing = event.is_composing() || event.key_code() == COMPOSING;
    event.key() == "Enter" && !event.shift_key() && !composing && (event.ctrl_key() || !browser::has_touch())
}
