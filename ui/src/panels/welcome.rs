//! What an empty conversation shows: how to begin.

use super::icon::Fish;
use crate::catalogue;
use crate::format;
use crate::page::{Dialog, Page};
use crate::state::State;
use crate::text;
use leptos::prelude::*;

/// What can be done first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// It is not known yet whether the last model is on this device.
    Look,
    /// Nothing is loaded: offer this model.
    Load { name: String, size: String },
    /// A model is on its way.
    Wait,
    /// Something answers: offer things to say.
    Talk,
}

/// What an empty conversation shows on the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Welcome
            begin=page.select(begin)
            on_load=Callback::new(move |()| page.load(page.state.with_untracked(State::first_offer)))
            on_models=Callback::new(move |()| page.show(Dialog::Models))
            on_suggestion=Callback::new(move |text| page.send(text))
        />
    }
}

fn begin(state: &State) -> Begin {
    if state.load.is_some() {
        return Begin::Wait;
    }
    if state.model.is_some() {
        return Begin::Talk;
    }
    if state.resume.is_some() && state.stored_models.is_none() {
        return Begin::Look;
    }
    let source = state.first_offer();
    let entry = catalogue::find(&source, &state.base);
    let size = entry.map(|entry| format::bytes(entry.size_bytes)).unwrap_or_default();
    Begin::Load { name: state.source_name(&source), size }
}

/// What an empty conversation shows.
#[component]
pub fn Welcome(
    #[prop(into)] begin: Signal<Begin>,
    on_load: Callback<()>,
    on_models: Callback<()>,
    on_suggestion: Callback<String>,
) -> impl IntoView {
    let offer = move |begin: Begin| match begin {
        Begin::Load { name, size } => view! {
            <div class="welcome__actions">
                <button class="button button--primary" on:click=move |_| on_load.run(())>
                    {text::welcome::load(&name)} <span class="welcome__size">{size}</span>
                </button>
                <button class="button" on:click=move |_| on_models.run(())>{text::welcome::OTHER_MODELS}</button>
            </div>
        }
        .into_any(),
        Begin::Look => ().into_any(),
        Begin::Wait => view! { <p>{text::welcome::ON_ITS_WAY}</p> }.into_any(),
        Begin::Talk => view! {
            <ul class="welcome__suggestions" aria-label=text::welcome::SUGGESTIONS>
                {text::welcome::QUESTIONS
                    .map(|text| {
                        view! {
                            <li>
                                <button class="button" on:click=move |_| on_suggestion.run(text.to_owned())>
                                    {text}
                                </button>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        }
        .into_any(),
    };
    view! {
        <div class="welcome">
            <Fish />
            <h1>{text::welcome::HEADLINE}</h1>
            <p>{text::welcome::WHAT_IT_IS}</p>
            {move || offer(begin.get())}
        </div>
    }
}
