//! The conversation on screen. It follows the reply as it grows, until the person scrolls up.

use super::icon::{Glyph, Icon};
use super::message::{MessageActions, MessagePanel};
use super::{reply, welcome};
use crate::page::Page;
use crate::state::chat::Id;
use crate::state::{Shown, State};
use crate::text;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, ResizeObserver};

/// The conversation on the page; an empty one shows how to begin.
pub fn wire(page: Page) -> impl IntoView {
    let actions = MessageActions {
        on_regenerate: Callback::new(move |id| page.regenerate(id)),
        on_select: Callback::new(move |id| page.show_branch(id)),
        on_edit: Callback::new(move |(id, text)| page.set_edit(id, text)),
        on_resend: Callback::new(move |(id, text): (_, String)| page.edit(id, &text)),
    };
    view! {
        <Thread
            chat=page.select(|state| state.current)
            messages=page.select(State::shown)
            idle=page.select(|state| state.reply.is_none())
            announcement=Memo::new(move |before| page.state.with(|state| announcement(state, before)))
            actions
        >
            {welcome::wire(page)}
        </Thread>
    }
}

/// What screen readers are told: that a reply begins, and once it is complete, what it says and how it ended.
fn announcement(state: &State, before: Option<&String>) -> String {
    if state.reply.is_some() {
        return text::thread::BEGINS.to_owned();
    }
    let ended = before.filter(|before| *before == text::thread::BEGINS).and_then(|_| state.shown().pop());
    ended.map(|shown| reply::spoken(&shown)).or_else(|| before.cloned()).unwrap_or_default()
}

/// The conversation on screen.
#[component]
pub fn Thread(
    #[prop(into)] chat: Signal<Option<Id>>,
    #[prop(into)] messages: Signal<Vec<Shown>>,
    #[prop(into)] idle: Signal<bool>,
    /// Said to screen readers: that a reply begins, and the reply once it is complete.
    #[prop(into)]
    announcement: Signal<String>,
    actions: MessageActions,
    /// What stands here while there are no messages.
    children: ChildrenFn,
) -> impl IntoView {
    let scroller = NodeRef::<html::Section>::new();
    let content = NodeRef::<html::Div>::new();
    let follow = Follow::new();
    Effect::new(move |_| {
        if let (Some(scroller), Some(content)) = (scroller.get(), content.get()) {
            follow.watch(scroller, &content.into());
        }
    });
    // Another conversation begins at its end, and so does a reply.
    Effect::new(move |_| {
        chat.track();
        follow.to_end();
    });
    Effect::new(move |_| {
        if !idle.get() {
            follow.to_end();
        }
    });
    let is_empty = Memo::new(move |_| messages.with(Vec::is_empty));
    let heads = move || messages.with(|all| all.iter().map(|s| (s.message.id, s.message.role)).collect::<Vec<_>>());
    let panel = move |(id, role)| {
        let shown = Memo::new(move |_| messages.with(|all| find(all, id).cloned()));
        view! { <MessagePanel id role shown idle actions /> }
    };
    view! {
        <section
            class="thread"
            aria-label=text::thread::CONVERSATION
            tabindex="-1"
            node_ref=scroller
            on:scroll=move |_| follow.scrolled()
        >
            <div class="thread__content" node_ref=content>
                <Show when=move || is_empty.get()>{children()}</Show>
                <For each=heads key=|(id, _)| *id children=panel />
            </div>
            <Show when=move || follow.is_away.get()>
                <button
                    class="button button--round thread__end"
                    aria-label=text::thread::SCROLL_TO_THE_END
                    on:click=move |_| follow.to_end()
                >
                    <Icon glyph=Glyph::ArrowDown />
                </button>
            </Show>
            <p class="visually-hidden" role="status">{announcement}</p>
        </section>
    }
}

fn find(messages: &[Shown], id: Id) -> Option<&Shown> {
    messages.iter().find(|shown| shown.message.id == id)
}

/// Keeps the end in view while the content grows, unless the person has scrolled up.
#[derive(Clone, Copy)]
struct Follow {
    scroller: StoredValue<Option<HtmlElement>, LocalStorage>,
    /// Where the view was at the last scroll.
    top: StoredValue<i32>,
    is_away: RwSignal<bool>,
}

/// Zoomed pages round positions.
const ROUNDING_PX: i32 = 2;

impl Follow {
    fn new() -> Self {
        Self { scroller: StoredValue::new_local(None), top: StoredValue::new(0), is_away: RwSignal::new(false) }
    }

    fn watch(self, scroller: HtmlElement, content: &web_sys::Element) {
        let grown = Closure::<dyn Fn()>::new(move || {
            if self.is_away.get_untracked() {
                self.scrolled();
            } else {
                self.to_end();
            }
        });
        let observer = ResizeObserver::new(grown.into_js_value().unchecked_ref()).expect("its callback is a function");
        observer.observe(content);
        observer.observe(&scroller);
        self.scroller.set_value(Some(scroller));
    }

    fn to_end(self) {
        self.is_away.set(false);
        self.scroller.with_value(|scroller| {
            if let Some(scroller) = scroller {
                scroller.set_scroll_top(scroller.scroll_height());
            }
        });
    }

    /// Going up means to read on there; coming back to the end means to follow again.
    fn scrolled(self) {
        let Some(scroller) = self.scroller.get_value() else { return };
        let top = scroller.scroll_top();
        let below = scroller.scroll_height() - scroller.client_height() - top;
        let went_up = top < self.top.get_value();
        self.top.set_value(top);
        if below <= ROUNDING_PX {
            self.is_away.set(false);
        } else if went_up {
            self.is_away.set(true);
        }
    }
}
