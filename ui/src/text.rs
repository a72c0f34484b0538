//! Everything the page says in English, so that it can be said in another language: sentences as constants, or as
//! functions of what they tell. A file for each part of the page.

pub mod bench;
pub mod composer;
pub mod dialog;
pub mod header;
pub mod hub;
pub mod message;
pub mod model;
pub mod models;
pub mod notice;
pub mod settings;
pub mod sidebar;
pub mod storage;
pub mod thread;
pub mod transfer;
pub mod welcome;
