//! The list of conversations.

use super::icon::{Fish, Glyph, Icon};
use crate::browser;
use crate::page::Page;
use crate::state::chat::{Id, Summary};
use crate::text;
use leptos::html;
use leptos::prelude::*;

/// The list of conversations on the page.
pub fn wire(page: Page) -> impl IntoView {
    // On a phone the focus may be anywhere when the list lies over the page.
    let escape = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == "Escape" {
            page.close_sidebar();
        }
    });
    on_cleanup(move || escape.remove());
    view! {
        <Sidebar
            open=page.sidebar_open
            summaries=page.select(|state| state.summaries.clone())
            current=page.select(|state| state.current)
            on_close=Callback::new(move |()| page.close_sidebar())
            on_new=Callback::new(move |()| page.new_chat())
            on_rename=Callback::new(move |(id, title)| page.rename(id, title))
            on_delete=Callback::new(move |id| page.delete(id))
        />
    }
}

/// The list of conversations; a drawer on narrow screens.
#[component]
pub fn Sidebar(
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] summaries: Signal<Vec<Summary>>,
    #[prop(into)] current: Signal<Option<Id>>,
    on_close: Callback<()>,
    on_new: Callback<()>,
    on_rename: Callback<(Id, String)>,
    on_delete: Callback<Id>,
) -> impl IntoView {
    let search = RwSignal::new(String::new());
    let found = Memo::new(move |_| {
        let words = search.get().to_lowercase();
        let is_found = |summary: &&Summary| summary.title.to_lowercase().contains(&words);
        summaries.with(|all| all.iter().filter(is_found).map(|summary| summary.id).collect::<Vec<_>>())
    });
    let title = move |id| {
        Memo::new(move |_| {
            let find = |all: &Vec<Summary>| all.iter().find(|summary| summary.id == id).map(|s| s.title.clone());
            summaries.with(find).unwrap_or_default()
        })
    };
    view! {
        <div class="sidebar__shade" class:sidebar__shade--open=open on:click=move |_| on_close.run(())></div>
        <nav class="sidebar" class:sidebar--open=open aria-label=text::sidebar::CONVERSATIONS>
            <div class="sidebar__brand">
                <Fish />
                {text::sidebar::MINNOW}
                <button
                    class="button button--icon sidebar__close"
                    aria-label=text::sidebar::CLOSE_CONVERSATIONS
                    on:click=move |_| on_close.run(())
                >
                    <Icon glyph=Glyph::Close />
                </button>
            </div>
            <button class="button button--wide sidebar__new" on:click=move |_| on_new.run(())>
                <Icon glyph=Glyph::Plus />
                {text::sidebar::NEW_CHAT}
            </button>
            <Show when=move || summaries.with(|all| all.len() > 7)>
                <input
                    class="field"
                    type="search"
                    aria-label=text::sidebar::SEARCH_CONVERSATIONS
                    placeholder=text::sidebar::SEARCH
                    prop:value=search
                    on:input=move |event| search.set(event_target_value(&event))
                />
            </Show>
            <ul class="sidebar__list">
                <For each=move || found.get() key=|id| *id let:id>
                    <Line id title=title(id) current on_rename on_delete on_open=on_close />
                </For>
            </ul>
            <p class="sidebar__note">{text::sidebar::PRIVACY}</p>
        </nav>
    }
}

/// A conversation: open it, rename it, delete it.
#[component]
fn Line(
    id: Id,
    title: Memo<String>,
    current: Signal<Option<Id>>,
    on_open: Callback<()>,
    on_rename: Callback<(Id, String)>,
    on_delete: Callback<Id>,
) -> impl IntoView {
    let renaming = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(input) = input.get() {
            request_animation_frame(move || {
                browser::focus_now(&input);
                input.select();
            });
        }
    });
    let is_current = move || current.get() == Some(id);
    let finish = move |text: String| {
        if renaming.get_untracked() {
            renaming.set(false);
            if !text.trim().is_empty() && text != title.get_untracked() {
                on_rename.run((id, text));
            }
        }
    };
    let focus_link = move || browser::focus(format!(".sidebar__link[href='#/c/{id}']"));
    let on_key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "Enter" if !event.is_composing() => {
            finish(event_target_value(&event));
            focus_link();
        }
        "Escape" => {
            event.stop_propagation();
            renaming.set(false);
            focus_link();
        }
        _ => {}
    };
    let link = move || {
        view! {
            <a
                class="sidebar__link"
                href=format!("#/c/{id}")
                aria-current=move || is_current().then_some("page")
                title=title
                on:click=move |_| on_open.run(())
            >
                {title}
            </a>
            <button
                class="button button--icon sidebar__act"
                aria-label=move || text::sidebar::rename(&title.get())
                on:click=move |_| renaming.set(true)
            >
                <Icon glyph=Glyph::Edit />
            </button>
            <button
                class="button button--icon sidebar__act"
                aria-label=move || text::sidebar::delete(&title.get())
                on:click=move |_| on_delete.run(id)
            >
                <Icon glyph=Glyph::Trash />
            </button>
        }
    };
    let field = move || {
        view! {
            <input
                class="field"
                aria-label=text::sidebar::TITLE
                node_ref=input
                prop:value=title.get_untracked()
                on:keydown=on_key
                on:blur=move |event| finish(event_target_value(&event))
            />
        }
    };
    view! {
        <li class="sidebar__line" class:sidebar__line--current=is_current>
            <Show when=move || renaming.get() fallback=link>{field}</Show>
        </li>
    }
}
