//! Minnow's page: chat with a small language model that runs in this browser tab.
//!
//! The engine runs in a worker and speaks in events; [`state::State`] takes them in and is all that is on screen;
//! panels show parts of it and call back; [`page::Page`] does what they ask, and keeps what must outlive the tab.

#![allow(unreachable_pub, reason = "Leptos turns a component into public items")]

mod app;
mod browser;
mod catalogue;
mod engine;
mod format;
mod hub;
mod markdown;
mod page;
mod panels;
mod state;
mod storage;

fn main() {
    leptos::mount::mount_to_body(app::App);
}
