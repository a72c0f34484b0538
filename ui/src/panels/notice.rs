//! A short message at the bottom: something was done, and can be undone, or went wrong.

use super::icon::{Glyph, Icon};
use crate::page::{Notice, NoticeKind, Page};
use crate::text;
use leptos::prelude::*;
use std::time::Duration;

/// Long enough to read it and reach for the button.
const SHOWN: Duration = Duration::from_secs(10);

/// The message at the bottom of the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <NoticeBar
            notice=page.notice
            on_undo=Callback::new(move |()| page.undelete())
            on_shrink=Callback::new(move |n| page.shrink_context(n))
            on_close=Callback::new(move |()| page.close_notice())
        />
    }
}

/// The message at the bottom. Trouble stays until it is closed.
#[component]
pub fn NoticeBar(
    #[prop(into)] notice: Signal<Option<Notice>>,
    on_undo: Callback<()>,
    /// With a context of so many tokens the model stays on the GPU.
    on_shrink: Callback<u32>,
    on_close: Callback<()>,
) -> impl IntoView {
    Effect::new(move |timer: Option<Option<TimeoutHandle>>| {
        if let Some(timer) = timer.flatten() {
            timer.clear();
        }
        let passes = notice.with(|notice| notice.as_ref().is_some_and(|notice| !notice.kind.is_trouble()));
        if passes { set_timeout_with_handle(move || on_close.run(()), SHOWN).ok() } else { None }
    });
    let bar = move |Notice { text, kind }: Notice| {
        let role = if kind.is_trouble() { "alert" } else { "status" };
        let remedy = match kind {
            NoticeKind::Done | NoticeKind::Trouble => None,
            NoticeKind::Deleted => Some((text::notice::UNDO.to_owned(), on_undo)),
            NoticeKind::NoRoom(n) => Some((text::notice::reload_with(n), Callback::new(move |()| on_shrink.run(n)))),
        };
        let button = |(label, act): (String, Callback<()>)| {
            view! { <button class="button" on:click=move |_| act.run(())>{label}</button> }
        };
        view! {
            <div class="notice" class:notice--trouble=kind.is_trouble() role=role>
                <span>{text}</span>
                {remedy.map(button)}
                <button class="button button--icon" aria-label=text::notice::DISMISS on:click=move |_| on_close.run(())>
                    <Icon glyph=Glyph::Close />
                </button>
            </div>
        }
    };
    move || notice.get().map(bar)
}
