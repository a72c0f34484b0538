//! What an action of the person takes from outside.

use super::chat::Id;

/// What an action takes from the outside world: the time, and a number that nobody else draws.
#[derive(Debug, Clone, Copy)]
pub struct ActionContext {
    pub now_ms: u64,
    pub nonce: u64,
}

impl ActionContext {
    /// The `n`th id made by this action.
    pub fn id(self, n: u64) -> Id {
        Id(self.nonce + n)
    }
}
