//! The reply in progress, and how far it is.

use super::chat::Id;

/// The reply in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub chat: Id,
    pub message: Id,
    pub phase: Phase,
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
