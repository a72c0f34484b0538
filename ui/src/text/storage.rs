//! What is said of keeping conversations.

pub const NO_STORAGE: &str =
    "This browser keeps no data for this page (a private window?). Conversations end with the tab.";

/// The storage has no room left.
pub const FULL: &str = "The storage is full, so what is new here is not saved. To make room, delete conversations, or models in the Models dialog. Until then, an export in the settings keeps everything.";

/// The database belongs to a newer page.
pub const NEWER_PAGE: &str = "A newer Minnow has been opened in another tab, and this one can no longer save to its database. A copy of what is new here is kept in this browser: reload this page to update it.";

/// The database does not answer.
pub const NO_ANSWER: &str = "The browser's database does not answer, so what is new here is not saved there yet. It is tried again and again; until it works, a copy is kept in this browser, and an export in the settings keeps everything.";

pub fn not_saved(reason: &str) -> String {
    format!(
        "A conversation could not be saved: {reason}. It is tried again and again; an export in the settings keeps everything."
    )
}

pub fn not_deleted(reason: &str) -> String {
    format!("The conversation could not be deleted: {reason}")
}

pub fn not_read(reason: &str) -> String {
    format!("The conversation could not be read: {reason}")
}

pub fn none_read(reason: &str) -> String {
    format!("The conversations could not be read: {reason}")
}

pub fn list_not_read(reason: &str) -> String {
    format!("The list of conversations could not be read: {reason}")
}
