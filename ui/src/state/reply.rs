//! The reply in progress, and messages as they are shown.

use super::chat::{Id, Message, Place};
use std::sync::Arc;

/// The reply in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub chat: Id,
    pub message: Id,
    pub phase: Phase,
}

/// A message on screen.
#[derive(Debug, Clone)]
pub struct Shown {
    pub message: Arc<Message>,
    pub place: Place,
    /// How far it is, if it is being written.
    pub phase: Option<Phase>,
    /// What the person is changing it to.
    pub edit: Option<String>,
}

impl PartialEq for Shown {
    /// A message that changes gets a new address; comparing texts at every token would be slow.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.message, &other.message)
            && (self.place, self.phase, &self.edit) == (other.place, other.phase, &other.edit)
    }
}

/// How far a reply is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// The model is still being loaded.
    Waiting,
    /// The model reads the conversation.
    Reading { done_tokens: u32, total_tokens: u32 },
    /// The model writes. A piece of text is about a token.
    Writing { n_pieces: u32, first_ms: u64, last_ms: u64 },
    /// The person asked it to stop.
    Stopping,
}

impl Phase {
    /// An estimate, until the engine tells at the end.
    pub fn tokens_per_sec(self) -> Option<f64> {
        match self {
            Self::Writing { n_pieces, first_ms, last_ms } if last_ms > first_ms => {
                Some(f64::from(n_pieces - 1) * 1000.0 / (last_ms - first_ms) as f64)
            }
            Self::Waiting | Self::Reading { .. } | Self::Writing { .. } | Self::Stopping => None,
        }
    }
}
