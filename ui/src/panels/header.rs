//! The bar at the top: conversations, the model that answers, settings.

use super::icon::{Glyph, Icon};
use crate::page::{Dialog, Page};
use crate::text;
use leptos::prelude::*;

/// The bar at the top of the page.
pub fn wire(page: Page) -> impl IntoView {
    view! {
        <Header
            model=page.select(|state| state.model.as_ref().map(|model| model.info.name.clone()))
            sidebar_open=page.sidebar_open
            on_sidebar=Callback::new(move |()| page.toggle_sidebar())
            on_models=Callback::new(move |()| page.show(Dialog::Models))
            on_settings=Callback::new(move |()| page.show(Dialog::Settings))
        />
    }
}

/// The bar at the top.
#[component]
pub fn Header(
    /// The model that answers; none while there is none.
    #[prop(into)]
    model: Signal<Option<String>>,
    #[prop(into)] sidebar_open: Signal<bool>,
    on_sidebar: Callback<()>,
    on_models: Callback<()>,
    on_settings: Callback<()>,
) -> impl IntoView {
    view! {
        <header class="header">
            <button
                class="button button--icon header__menu"
                aria-label=text::header::CONVERSATIONS
                aria-expanded=move || sidebar_open.get().to_string()
                on:click=move |_| on_sidebar.run(())
            >
                <Icon glyph=Glyph::Menu />
            </button>
            <button
                class="button header__model"
                aria-haspopup="dialog"
                title=text::header::CHOOSE_A_MODEL
                on:click=move |_| on_models.run(())
            >
                <Icon glyph=Glyph::Chip />
                <span class="header__name">{move || model.get().unwrap_or_else(|| text::header::CHOOSE_A_MODEL.to_owned())}</span>
            </button>
            <button
                class="button button--icon"
                aria-label=text::header::SETTINGS
                aria-haspopup="dialog"
                on:click=move |_| on_settings.run(())
            >
                <Icon glyph=Glyph::Settings />
            </button>
        </header>
    }
}
