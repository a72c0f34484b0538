//! What is said in the box at the bottom.

pub const CONTEXT_MEANING: &str = "How much the model has read, and can hold";
pub const CONTEXT_USED: &str = "Context used";
pub const MESSAGE: &str = "Message";
pub const SEND: &str = "Send";
pub const STOP: &str = "Stop";
pub const THINK_FIRST: &str = "Think first";
pub const TOKENS: &str = " tokens";

pub fn used_of(used: &str, total: &str) -> String {
    format!("{used} of {total}")
}

pub fn speed(per_sec: &str) -> String {
    format!("{per_sec} tokens/s")
}
