//! What is said in the list of conversations.

pub const CLOSE_CONVERSATIONS: &str = "Close conversations";
pub const CONVERSATIONS: &str = "Conversations";
pub const MINNOW: &str = "Minnow";
pub const NEW_CHAT: &str = "New chat";
pub const NEW_CONVERSATION: &str = "New conversation";
pub const PRIVACY: &str = "Everything stays in this browser.";
pub const SEARCH: &str = "Search";
pub const SEARCH_CONVERSATIONS: &str = "Search conversations";
pub const TITLE: &str = "Title";

pub fn rename(title: &str) -> String {
    format!("Rename {title}")
}

pub fn delete(title: &str) -> String {
    format!("Delete {title}")
}
