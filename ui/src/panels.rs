//! What is on screen: one file for each panel, and one block of the style sheets with its name.
//!
//! A panel is a component that takes what it shows and calls back; its `wire` says what of the state that is on the page,
//! and what the page does when it calls.

pub mod composer;
pub mod editor;
pub mod header;
pub mod icon;
pub mod message;
pub mod modal;
pub mod model;
pub mod models;
pub mod notice;
pub mod prose;
pub mod reply;
pub mod settings;
pub mod sidebar;
pub mod thread;
pub mod welcome;
