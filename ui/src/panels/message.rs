//! One message: what was said, how it came about, what can be done with it.

use super::editor::Editor;
use super::icon::{Glyph, Icon};
use super::prose::CopyButton;
use super::reply::Reply;
use crate::format;
use crate::state::Shown;
use crate::state::chat::{Id, Message, Place};
use crate::text;
use leptos::prelude::*;
use protocol::{Finish, ReplyStats, Role};

/// What the person can do with messages.
#[derive(Clone, Copy)]
pub struct MessageActions {
    /// Ask for another reply.
    pub on_regenerate: Callback<Id>,
    /// Show another branch.
    pub on_select: Callback<Id>,
    /// Begin to change a message, go on, or give up.
    pub on_edit: Callback<(Id, Option<String>)>,
    /// Say the changed message.
    pub on_resend: Callback<(Id, String)>,
}

/// One message.
#[component]
pub fn MessagePanel(
    id: Id,
    role: Role,
    #[prop(into)] shown: Signal<Option<Shown>>,
    /// Nothing is being answered, so this can be.
    #[prop(into)]
    idle: Signal<bool>,
    actions: MessageActions,
) -> impl IntoView {
    let content = Memo::new(move |_| {
        shown.with(|shown| shown.as_ref().map(|shown| shown.message.content.clone()).unwrap_or_default())
    });
    let place = Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| shown.place)));
    let edit = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(|shown| shown.edit.clone())));
    let editing = Memo::new(move |_| edit.with(Option::is_some));
    let live = Memo::new(move |_| shown.with(|shown| shown.as_ref().is_some_and(|shown| shown.phase.is_some())));
    let note = move || shown.with(|shown| shown.as_ref().map(|shown| note(&shown.message)));
    let branches = move |place: Place| view! { <Branches place idle on_select=actions.on_select /> };
    let said = move || view! { <div class="message__said" dir="auto">{content}</div> };
    let body = match role {
        Role::Assistant => view! { <Reply shown content /> }.into_any(),
        Role::User | Role::System => view! {
            <Show when=move || editing.get() fallback=said>
                <Editor
                    id
                    idle
                    text=Signal::derive(move || edit.get().unwrap_or_default())
                    on_edit=actions.on_edit
                    on_resend=actions.on_resend
                />
            </Show>
        }
        .into_any(),
    };
    let again = match role {
        Role::Assistant => view! {
            <Act label=text::message::REGENERATE glyph=Glyph::Redo idle act=Callback::new(move |()| actions.on_regenerate.run(id)) />
        },
        Role::User | Role::System => {
            let begin = move |()| actions.on_edit.run((id, Some(content.get_untracked())));
            view! { <Act label=text::message::EDIT glyph=Glyph::Edit idle act=Callback::new(begin) /> }
        }
    };
    view! {
        <article
            class="message"
            class:message--user=role == Role::User
            data-role=role_name(role)
            aria-label=if role == Role::User { text::message::YOU } else { text::message::REPLY }
            aria-busy=move || live.get().to_string()
        >
            {body}
            <footer class="message__foot" class:message__foot--hidden=move || live.get() || editing.get()>
                {move || place.get().filter(|place| place.count > 1).map(branches)}
                <CopyButton label=text::message::COPY text=content />
                {again}
                <span class="message__stats">{note}</span>
            </footer>
        </article>
    }
}

/// A small button that has to wait while something is being answered.
#[component]
fn Act(
    label: &'static str,
    glyph: Glyph,
    #[prop(into)] idle: Signal<bool>,
    #[prop(optional)] disabled: bool,
    act: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class="button button--small"
            aria-label=label
            title=label
            disabled=move || disabled || !idle.get()
            on:click=move |_| act.run(())
        >
            <Icon glyph />
        </button>
    }
}

/// Steps through the alternatives.
#[component]
fn Branches(place: Place, idle: Signal<bool>, on_select: Callback<Id>) -> impl IntoView {
    let step = move |label: &'static str, glyph: Glyph, to: Option<Id>| {
        let go = Callback::new(move |()| to.into_iter().for_each(|id| on_select.run(id)));
        view! { <Act label glyph idle disabled=to.is_none() act=go /> }
    };
    view! {
        <span class="message__branches" role="group" aria-label=text::message::VERSIONS>
            {step(text::message::PREVIOUS_VERSION, Glyph::Back, place.previous)}
            <span>{format!("{}/{}", place.number, place.count)}</span>
            {step(text::message::NEXT_VERSION, Glyph::Forward, place.next)}
        </span>
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// The line below a reply: who wrote it, how fast.
fn note(message: &Message) -> String {
    let Some(origin) = &message.origin else { return String::new() };
    let stats = message.stats().map(describe);
    [Some(origin.model.clone()).filter(|model| !model.is_empty()), stats]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ")
}

fn describe(stats: &ReplyStats) -> String {
    let per_sec = f64::from(stats.n_reply) / stats.reply_secs;
    let per_sec = (stats.n_reply > 0 && per_sec.is_finite()).then(|| format::rate(per_sec));
    text::message::stats(stats.finish == Finish::Stopped, &format::count(stats.n_reply), per_sec.as_deref())
}
