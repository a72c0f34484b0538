//! Changes what the person said.

use super::composer::is_send_key;
use crate::browser;
use crate::state::chat::Id;
use crate::text;
use leptos::html;
use leptos::prelude::*;

/// The box in which a message is changed. What was there stays as the other branch.
#[component]
pub fn Editor(
    id: Id,
    text: Signal<String>,
    idle: Signal<bool>,
    /// Go on changing the message, or give up.
    on_edit: Callback<(Id, Option<String>)>,
    /// Say the changed message.
    on_resend: Callback<(Id, String)>,
) -> impl IntoView {
    let field = NodeRef::<html::Textarea>::new();
    Effect::new(move |_| field.get().map(browser::focus_element));
    let can_send = Memo::new(move |_| idle.get() && text.with(|text| !text.trim().is_empty()));
    let resend = move || {
        if can_send.get_untracked() {
            on_resend.run((id, text.get_untracked()));
        }
    };
    let on_key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            on_edit.run((id, None));
        } else if is_send_key(&event) {
            event.prevent_default();
            resend();
        }
    };
    view! {
        <form
            class="message__editor"
            on:submit=move |event| {
                event.prevent_default();
                resend();
            }
        >
            <div class="grow" data-text=text>
                <textarea
                    class="grow__text"
                    node_ref=field
                    rows="1"
                    aria-label=text::message::EDIT_MESSAGE
                    prop:value=text
                    on:input=move |event| on_edit.run((id, Some(event_target_value(&event))))
                    on:keydown=on_key
                ></textarea>
            </div>
            <div class="message__editor-foot">
                <button class="button" type="button" on:click=move |_| on_edit.run((id, None))>
                    {text::message::CANCEL}
                </button>
                <button class="button button--primary" type="submit" disabled=move || !can_send.get()>
                    {text::message::SEND_EDITED}
                </button>
            </div>
        </form>
    }
}
