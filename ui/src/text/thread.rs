//! What is said in the conversation on screen.

pub const BEGINS: &str = "The model is answering.";
pub const CONVERSATION: &str = "Conversation";
pub const SCROLL_TO_THE_END: &str = "Scroll to the end";
