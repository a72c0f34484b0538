//! What is said in the short message at the bottom.

pub const DISMISS: &str = "Dismiss";
pub const FILE_NOT_READ: &str = "The file could not be read.";
pub const IMPORT_TOO_LARGE: &str = "This file is too large to be an export of conversations.";
pub const LOADING: &str = "A model is being loaded. Cancel that first, then drop the file again.";
pub const NOT_HERE: &str = "This conversation is not on this device.";
pub const UNDO: &str = "Undo";

pub fn reload_with(n_tokens: u32) -> String {
    format!("Reload with {n_tokens} tokens")
}

pub fn deleted(title: &str) -> String {
    format!("Deleted “{title}”.")
}

pub fn file_not_written(reason: &str) -> String {
    format!("The file could not be written: {reason}")
}
