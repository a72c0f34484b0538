//! What is on screen: one file for each panel, and one block of the style sheets with its name.

pub mod composer;
pub mod header;
pub mod icon;
pub mod message;
pub mod modal;
pub mod model;
pub mod models;
pub mod notice;
pub mod prose;
pub mod settings;
pub mod sidebar;
pub mod thread;
pub mod welcome;
