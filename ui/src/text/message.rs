//! What is said of messages and how they came about.

pub const CANCEL: &str = "Cancel";
pub const CONTEXT_FULL: &str = "The context is full, so the reply ends here. You can go on; the model then leaves out the oldest messages. A larger context holds more of them: set it, and reload the model.";
pub const COPIED: &str = "Copied";
pub const COPY: &str = "Copy";
pub const COPY_CODE: &str = "Copy code";
pub const EDIT: &str = "Edit";
pub const EDIT_MESSAGE: &str = "Edit message";
pub const LENGTH: &str = "It reached the longest reply that the settings allow.";
pub const NEXT_VERSION: &str = "Next version";
pub const NOT_FINISHED: &str = "This reply is not finished here: another tab may still be writing it, or the page was closed. Regenerate to have it written again.";
pub const NOT_LOADED: &str = "The model was not loaded. Load one, then try again.";
pub const NO_MODEL: &str = "No model is loaded. Load one, then try again.";
pub const PREVIOUS_VERSION: &str = "Previous version";
pub const READING: &str = "Reading";
pub const READING_THE_CONVERSATION: &str = "Reading the conversation";
pub const REASONING: &str = "Thoughts";
pub const REGENERATE: &str = "Regenerate";
pub const REPLY: &str = "Reply";
pub const SEND_EDITED: &str = "Send edited";
pub const STOPPED: &str = "Stopped.";
pub const STOPPED_BEFORE: &str = "Stopped before the model was loaded.";
pub const STOPPING: &str = "Stopping…";
pub const TABLE: &str = "Table";
pub const THINKING: &str = "Thinking…";
pub const VERSIONS: &str = "Versions";
pub const WAITING_FOR_THE_MODEL: &str = "Waiting for the model…";
pub const YOU: &str = "You";

/// How many tokens a reply has, how fast they came, and whether the person stopped it.
pub fn stats(is_stopped: bool, n_tokens: &str, per_sec: Option<&str>) -> String {
    let stopped = if is_stopped { "stopped · " } else { "" };
    let speed = per_sec.map(|per_sec| format!(" · {per_sec} tokens/s")).unwrap_or_default();
    format!("{stopped}{n_tokens} tokens{speed}")
}

pub fn reading(done: &str, total: &str) -> String {
    format!("Reading {done} of {total} tokens")
}

/// Nothing, if nothing was left out.
pub fn dropped(n: u32) -> String {
    match n {
        0 => String::new(),
        1 => "The conversation is longer than the context: the model no longer read its oldest message.".to_owned(),
        n => format!("The conversation is longer than the context: the model no longer read its oldest {n} messages."),
    }
}
