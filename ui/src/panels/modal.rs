//! A dialog above the page: the browser holds the focus inside, closes it with Escape, and gives the focus back.

use super::icon::{Glyph, Icon};
use crate::text;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// A titled dialog, there while `open`.
#[component]
pub fn Modal(
    title: &'static str,
    #[prop(into)] open: Signal<bool>,
    on_close: Callback<()>,
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if open.get() && !dialog.open() {
            // Fails only if it is open already, or not in the page.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    // A click on what is around the dialog is a click on the dialog element itself.
    let close_from_outside = move |event: web_sys::MouseEvent| {
        let on_itself = event.target().is_some_and(|target| target.dyn_ref::<web_sys::HtmlDialogElement>().is_some());
        if on_itself {
            on_close.run(());
        }
    };
    view! {
        <dialog
            class="modal"
            node_ref=dialog
            aria-label=title
            on:close=move |_| on_close.run(())
            on:mousedown=close_from_outside
        >
            <Show when=move || open.get()>
                <div class="modal__frame">
                    <header class="modal__head">
                        <h2>{title}</h2>
                        <button class="button button--icon" aria-label=text::dialog::CLOSE on:click=move |_| on_close.run(())>
                            <Icon glyph=Glyph::Close />
                        </button>
                    </header>
                    <div class="modal__body">{children()}</div>
                </div>
            </Show>
        </dialog>
    }
}
