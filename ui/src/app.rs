//! What stands where on the page.

use crate::page::Page;
use crate::panels::{composer, header, model, models, notice, settings, sidebar, thread};
use leptos::prelude::*;

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    let page = Page::start();
    view! {
        {sidebar::wire(page)}
        <main class="main">
            {header::wire(page)}
            {model::wire(page)}
            {thread::wire(page)}
            {composer::wire(page)}
        </main>
        {models::wire(page)}
        {settings::wire(page)}
        {notice::wire(page)}
    }
}
