//! What can go wrong, and where.

use serde::{Deserialize, Serialize};

/// What went wrong, as far as the caller's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The file breaks its own format, or does not match what was promised.
    Invalid,
    /// The file is sound, but this engine or this device cannot run it.
    Unsupported,
    /// The other side did not answer, or answered with an error; trying again may help.
    Network,
    /// There is no such file, model or conversation.
    NotFound,
    /// The device's storage is full, or the browser refuses to give more.
    Storage,
    /// Not enough memory.
    Memory,
    /// The model's chat template failed, or took too long.
    Template,
    /// The last message alone does not fit into the context.
    ContextFull,
    /// The user asked to stop.
    Cancelled,
    /// The engine made a mistake and is gone; a new one has to be started.
    Crashed,
}

/// Which request an [`Event::Failed`](crate::Event::Failed) belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// [`Request::List`](crate::Request::List) or [`Request::Delete`](crate::Request::Delete).
    Store,
    /// [`Request::Load`](crate::Request::Load).
    Load,
    /// [`Request::Generate`](crate::Request::Generate).
    Generate,
    /// [`Request::Bench`](crate::Request::Bench).
    Bench,
}
