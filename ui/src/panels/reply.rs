//! What a model wrote: its reasoning, its words, how it ended, and what it is doing before the first word.

use super::prose::Prose;
use crate::format;
use crate::state::chat::{Origin, Outcome};
use crate::state::{Phase, Shown};
use crate::text;
use leptos::prelude::*;
use protocol::Finish;

/// What a model wrote.
#[component]
pub fn Reply(shown: Signal<Option<Shown>>, content: Memo<String>) -> impl IntoView {
    let origin = move |read: fn(&Origin) -> String| {
        Memo::new(move |_| {
            shown.with(|shown| shown.as_ref().and_then(|s| s.message.origin.as_ref()).map(read).unwrap_or_default())
        })
    };
    let reasoning = origin(|origin| origin.reasoning.trim().to_owned());
    let dropped = origin(|origin| text::message::dropped(origin.n_dropped));
    let phase = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(|shown| shown.phase)));
    let ending = Memo::new(move |_| shown.with(|shown| shown.as_ref().and_then(ending)));
    let summary = move || {
        let thinks = phase.get().is_some() && content.with(String::is_empty);
        if thinks { text::message::THINKING } else { text::message::REASONING }
    };
    let show_ending = |Ending { text, is_failure }| {
        let (class, role) =
            if is_failure { ("message__trouble", "alert") } else { ("message__notice message__notice--end", "note") };
        view! {
            <p class=class role=role>
                {text}
            </p>
        }
    };
    view! {
        <Show when=move || dropped.with(|text| !text.is_empty())>
            <p class="message__notice" role="note">
                {dropped}
            </p>
        </Show>
        <Show when=move || reasoning.with(|text| !text.is_empty())>
            <details class="message__reasoning">
                <summary>{summary}</summary>
                <Prose text=reasoning />
            </details>
        </Show>
        <Prose text=content />
        {move || phase.get().map(|phase| view! { <Waiting phase /> })}
        {move || ending.get().map(show_ending)}
    }
}

/// A shorter prompt is read before a bar would be understood.
const LONG_PROMPT_TOKENS: u32 = 256;

/// Before the first word.
#[component]
fn Waiting(phase: Phase) -> impl IntoView {
    match phase {
        Phase::Waiting => view! { <p class="message__waiting">{text::message::WAITING_FOR_THE_MODEL}</p> }.into_any(),
        Phase::Reading { done_tokens, total_tokens } if total_tokens > LONG_PROMPT_TOKENS => {
            let text = text::message::reading(&format::count(done_tokens), &format::count(total_tokens));
            let (max, value) = (total_tokens.to_string(), done_tokens.to_string());
            view! {
                <label class="message__waiting">
                    {text} <progress aria-label=text::message::READING_THE_CONVERSATION max=max value=value></progress>
                </label>
            }
            .into_any()
        }
        Phase::Reading { .. } => view! {
            <p class="message__dots" role="img" aria-label=text::message::READING>
                <i></i>
                <i></i>
                <i></i>
            </p>
        }
        .into_any(),
        Phase::Stopping => view! { <p class="message__waiting">{text::message::STOPPING}</p> }.into_any(),
        Phase::Writing { .. } => ().into_any(),
    }
}

/// What the person should know about how a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    text: String,
    is_failure: bool,
}

/// What is said of a reply that is complete. A failure is an alert, which says itself.
pub fn spoken(shown: &Shown) -> String {
    let is_stopped = shown.message.stats().is_some_and(|stats| stats.finish == Finish::Stopped);
    let ending = match ending(shown) {
        Some(ending) if !ending.is_failure => ending.text,
        Some(_) | None => if is_stopped { text::message::STOPPED } else { "" }.to_owned(),
    };
    format!("{} {ending}", shown.message.content).trim().to_owned()
}

fn ending(shown: &Shown) -> Option<Ending> {
    let note = |text: &str| Some(Ending { text: text.to_owned(), is_failure: false });
    match &shown.message.origin.as_ref()?.outcome {
        Outcome::Failed(message) => Some(Ending { text: message.clone(), is_failure: true }),
        Outcome::Open if shown.phase.is_none() => note(text::message::NOT_FINISHED),
        Outcome::Open => None,
        Outcome::Done(stats) => match stats.finish {
            Finish::ContextFull => note(text::message::CONTEXT_FULL),
            Finish::Length => note(text::message::LENGTH),
            Finish::End | Finish::Stopped => None,
        },
    }
}
