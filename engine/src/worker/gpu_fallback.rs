//! Why a model runs on the CPU although a GPU has passed the test.

use crate::error::{Error, ErrorKind};

/// What keeps a model from the GPU.
#[derive(Debug)]
pub enum FallbackReason {
    /// Its weights are more than the GPU's memory holds.
    NoRoomForModel,
    /// Its KV cache is; there was room for so many tokens, if that is known.
    NoRoomForConversation(Option<usize>),
    /// The GPU failed while the model was loaded; what was said then.
    Failure(String),
}

impl FallbackReason {
    /// The reason in an error of loading a model onto the GPU; none if the CPU would fail as well.
    pub fn of_load(error: &Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::Memory => Some(Self::NoRoomForModel),
            ErrorKind::Unsupported => Some(Self::Failure(error.to_string())),
            ErrorKind::Invalid
            | ErrorKind::Network
            | ErrorKind::NotFound
            | ErrorKind::Storage
            | ErrorKind::Template
            | ErrorKind::ContextFull
            | ErrorKind::Cancelled
            | ErrorKind::Crashed => None,
        }
    }

    /// The reason in words, and what can be done about it.
    pub fn why(&self) -> String {
        match self {
            Self::NoRoomForModel => "the GPU has not enough memory for it".to_owned(),
            Self::Failure(message) => format!("the GPU failed while it was loaded: {message}"),
            Self::NoRoomForConversation(None) => "the GPU has not enough memory for a conversation".to_owned(),
            Self::NoRoomForConversation(Some(n_ctx)) => format!(
                "the GPU has not enough memory for so long a conversation; with a context of {n_ctx} tokens, it stays there"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_gpu_lacks_is_a_reason_for_the_cpu() {
        let why = |kind| FallbackReason::of_load(&Error::new(kind, "it is lost")).map(|reason| reason.why());
        assert_eq!(why(ErrorKind::Memory).as_deref(), Some("the GPU has not enough memory for it"));
        assert_eq!(why(ErrorKind::Unsupported).as_deref(), Some("the GPU failed while it was loaded: it is lost"));
        for kind in [ErrorKind::Invalid, ErrorKind::Network, ErrorKind::Storage, ErrorKind::Cancelled] {
            assert_eq!(why(kind), None, "{kind:?}");
        }
    }
}
