//! How keys and values are kept.

use serde::{Deserialize, Serialize};

/// How the keys and values of a context are kept, by ggml's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum CacheType {
    /// As halves.
    #[default]
    #[serde(rename = "f16")]
    F16,
    /// As bytes with a scale for 32: in about half the memory.
    #[serde(rename = "q8_0")]
    Q8_0,
}

impl CacheType {
    /// Every type.
    pub const ALL: [Self; 2] = [Self::F16, Self::Q8_0];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// Bytes of 32 elements.
    pub fn bytes_of_32(self) -> usize {
        match self {
            Self::F16 => 64,
            Self::Q8_0 => 34,
        }
    }
}
