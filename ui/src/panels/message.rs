//! One message: what was said, how it came about, what can be done with it.

use super::composer::is_send_key;
use super::icon::{Glyph, Icon};
use super::prose::{CopyButton, Prose};
use crate::format;
use crate::state::chat::{Id, Message, Outcome, Place};
use crate::state::{Phase, Shown};
use engine::protocol::{Finish, ReplyStats, Role};
use leptos::html;
use leptos::prelude::*;

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
    let pick = move |pick: fn(&Message) -> String| {
        Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| pick(&shown.message)).unwrap_or_default()))
    };
    let content = pick(|message| message.content.clone());
    let place = Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| shown.place)));
    let edit = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(|shown| shown.edit.clone())));
    let editing = Memo::new(move |_| edit.with(Option::is_some));
    let live = Memo::new(move |_| shown.with(|shown| shown.as_ref().is_some_and(|shown| shown.phase.is_some())));
    let body = move || match role {
        Role::Assistant => view! { <ReplyBody shown live content pick_thought=pick(thought) /> }.into_any(),
        Role::User | Role::System => view! {
            <Show
                when=move || editing.get()
                fallback=move || view! { <div class="message__said" dir="auto">{content}</div> }
            >
                <Editor id text=Signal::derive(move || edit.get().unwrap_or_default()) idle actions />
            </Show>
        }
        .into_any(),
    };
    view! {
        <article
            class="message"
            class:message--user=role == Role::User
            data-role=role_name(role)
            aria-label=if role == Role::User { "You" } else { "Reply" }
            aria-busy=move || live.get().to_string()
        >
            {body()}
            <footer class="message__foot" class:message__foot--hidden=move || live.get() || editing.get()>
                {move || place.get().filter(|place| place.count > 1).map(|place| view! { <Branches place on_select=actions.on_select idle /> })}
                <CopyButton label="Copy" text=content />
                {match role {
                    Role::Assistant => view! { <RegenerateButton id idle actions /> }.into_any(),
                    Role::User | Role::System => view! {
                        <button
                            class="button button--small"
                            aria-label="Edit"
                            title="Edit"
                            disabled=move || !idle.get()
                            on:click=move |_| actions.on_edit.run((id, Some(content.get_untracked())))
                        >
                            <Icon glyph=Glyph::Edit />
                        </button>
                    }
                    .into_any(),
                }}
                <span class="message__stats">{move || shown.with(|shown| shown.as_ref().map(|shown| note(&shown.message)))}</span>
            </footer>
        </article>
    }
}

/// What a model wrote: its thoughts folded away, its words, and how it ended if not well.
#[component]
fn ReplyBody(
    shown: Signal<Option<Shown>>,
    live: Memo<bool>,
    content: Memo<String>,
    pick_thought: Memo<String>,
) -> impl IntoView {
    let phase = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(|shown| shown.phase)));
    let has_thought = Memo::new(move |_| pick_thought.with(|thought| !thought.is_empty()));
    let has_content = Memo::new(move |_| content.with(|content| !content.is_empty()));
    let trouble = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(trouble)));
    let n_dropped = Memo::new(move |_| {
        shown.with(|shown| shown.as_ref().and_then(|s| s.message.origin.as_ref()).map_or(0, |origin| origin.n_dropped))
    });
    let waiting = move || {
        phase.get().filter(|phase| !matches!(phase, Phase::Writing { .. })).map(|phase| view! { <Waiting phase /> })
    };
    view! {
        <Show when=move || n_dropped.get() != 0>
            <p class="message__notice" role="note">
                {move || dropped(n_dropped.get())}
            </p>
        </Show>
        <Show when=move || has_thought.get()>
            <details class="message__thought">
                <summary>{move || if live.get() && !has_content.get() { "Thinking…" } else { "Thoughts" }}</summary>
                <Prose text=pick_thought />
            </details>
        </Show>
        <Prose text=content />
        {waiting}
        {move || trouble.get().map(|text| view! { <p class="message__trouble" role="alert">{text}</p> })}
    }
}

/// Before the first word.
#[component]
fn Waiting(phase: Phase) -> impl IntoView {
    match phase {
        Phase::Waiting => view! { <p class="message__waiting">"Waiting for the model…"</p> }.into_any(),
        Phase::Reading { done_tokens, total_tokens } if total_tokens > LONG_PROMPT_TOKENS => view! {
            <label class="message__waiting">
                {format!("Reading {} of {} tokens", format::count(done_tokens), format::count(total_tokens))}
                <progress aria-label="Reading the conversation" max=total_tokens.to_string() value=done_tokens.to_string()></progress>
            </label>
        }
        .into_any(),
        Phase::Reading { .. } => view! { <p class="message__dots" role="img" aria-label="Reading"><i></i><i></i><i></i></p> }.into_any(),
        Phase::Stopping => view! { <p class="message__waiting">"Stopping…"</p> }.into_any(),
        Phase::Writing { .. } => ().into_any(),
    }
}

/// A shorter prompt is read before a bar would be understood.
const LONG_PROMPT_TOKENS: u32 = 256;

/// Changes what the person said. What was there stays as the other branch.
#[component]
fn Editor(id: Id, text: Signal<String>, idle: Signal<bool>, actions: MessageActions) -> impl IntoView {
    let field = NodeRef::<html::Textarea>::new();
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            // An element in the page can be focused.
            let _ = field.focus();
        }
    });
    let resend = move || {
        if idle.get_untracked() {
            actions.on_resend.run((id, text.get_untracked()));
        }
    };
    let on_key = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            actions.on_edit.run((id, None));
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
                    aria-label="Edit message"
                    prop:value=text
                    on:input=move |event| actions.on_edit.run((id, Some(event_target_value(&event))))
                    on:keydown=on_key
                ></textarea>
            </div>
            <div class="message__editor-foot">
                <button class="button" type="button" on:click=move |_| actions.on_edit.run((id, None))>"Cancel"</button>
                <button class="button button--primary" type="submit" disabled=move || !idle.get() || text.with(|text| text.trim().is_empty())>
                    "Send edited"
                </button>
            </div>
        </form>
    }
}

/// Steps through the alternatives.
#[component]
fn Branches(place: Place, on_select: Callback<Id>, idle: Signal<bool>) -> impl IntoView {
    let step = move |label: &'static str, glyph: Glyph, to: Option<Id>| {
        let go = move |_| {
            if let Some(id) = to {
                on_select.run(id);
            }
        };
        view! {
            <button class="button button--small" aria-label=label title=label disabled=move || to.is_none() || !idle.get() on:click=go>
                <Icon glyph />
            </button>
        }
    };
    view! {
        <span class="message__branches" role="group" aria-label="Versions">
            {step("Previous version", Glyph::Back, place.previous)}
            <span>{format!("{}/{}", place.number, place.count)}</span>
            {step("Next version", Glyph::Forward, place.next)}
        </span>
    }
}

#[component]
fn RegenerateButton(id: Id, idle: Signal<bool>, actions: MessageActions) -> impl IntoView {
    view! {
        <button
            class="button button--small"
            aria-label="Regenerate"
            title="Regenerate"
            disabled=move || !idle.get()
            on:click=move |_| actions.on_regenerate.run(id)
        >
            <Icon glyph=Glyph::Redo />
        </button>
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn thought(message: &Message) -> String {
    message.origin.as_ref().map(|origin| origin.thought.trim().to_owned()).unwrap_or_default()
}

/// What the person should know about a reply that did not end well.
fn trouble(shown: &Shown) -> Option<String> {
    match &shown.message.origin.as_ref()?.outcome {
        Outcome::Failed(message) => Some(message.clone()),
        Outcome::Open if shown.phase.is_none() => {
            Some("The page was closed while this was being written. Regenerate to have it written again.".to_owned())
        }
        Outcome::Done(stats) => match stats.finish {
            Finish::ContextFull => Some(
                "The context is full. Start a new chat, or load the model with a larger context in the settings."
                    .to_owned(),
            ),
            Finish::Length => Some("It reached the longest reply that the settings allow.".to_owned()),
            Finish::End | Finish::Stopped => None,
        },
        Outcome::Open => None,
    }
}

fn dropped(n: u32) -> String {
    let messages = if n == 1 { "message".to_owned() } else { format!("{n} messages") };
    format!("The conversation is longer than the context: the oldest {messages} were left out of what the model read.")
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
    let stopped = if stats.finish == Finish::Stopped { "stopped · " } else { "" };
    let per_sec = f64::from(stats.n_reply) / stats.reply_secs;
    let speed = if per_sec.is_finite() { format!(" · {} tokens/s", format::rate(per_sec)) } else { String::new() };
    format!("{stopped}{} tokens{speed}", format::count(stats.n_reply))
}
