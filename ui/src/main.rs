//! Minnow's page: chat with a small language model that runs in this browser tab.
//!
//! The engine runs in a worker and speaks in events; [`state::State`] takes them in and is all that is on screen;
//! panels show parts of it and call back; [`page::Page`] does what they ask, and keeps what must outlive the tab.

#![allow(unreachable_pub, reason = "Leptos turns a component into public items")]

mod app;
mod bench;
mod browser;
mod catalogue;
mod engine;
mod format;
mod highlight;
mod hub;
mod local_storage;
mod markdown;
mod page;
mod panels;
mod percent;
mod state;
mod storage;
mod text;
mod variant;

fn main() {
    std::panic::set_hook(Box::new(|panic| browser::confess(&panic.to_string())));
    // Chat and bench are two pages at one address: going from one to the other starts anew, so that nothing of the chat
    // runs beside what is measured.
    let measures = bench::is_here();
    browser::on_window("hashchange", move |_: web_sys::Event| {
        if measures || bench::is_here() {
            // Only a page that is going away anyway refuses.
            let _ = browser::window().location().reload();
        }
    });
    if measures {
        leptos::mount::mount_to_body(bench::Bench);
    } else {
        leptos::mount::mount_to_body(app::App);
    }
}
