//! What is said in dialogs.

pub const CLOSE: &str = "Close";
