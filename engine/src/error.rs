//! One error type: a kind to act on, a message for the person, and what caused it.

use serde::{Deserialize, Serialize};
use std::fmt;

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

/// An error of the engine. `Display` is a sentence for the person who meets it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that nothing else caused.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error, with what caused it.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
