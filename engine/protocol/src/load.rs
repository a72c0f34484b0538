//! Where a model comes from, how to run it, and how its load goes.

use crate::CacheType;
use serde::{Deserialize, Serialize};

/// Where a model comes from, and how to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadOptions {
    /// Where the file is.
    pub source: Source,
    /// Address of Hugging Face or a mirror of it, without a slash at the end.
    pub hub: String,
    /// The largest context wanted; the model's own limit and the memory budget can make it smaller.
    pub context_tokens: u32,
    /// Keep the file on this device for the next time.
    pub keep: bool,
    /// Where the arithmetic is wanted; [`ModelInfo::backend`] says where it is.
    pub backend: BackendWish,
    /// How keys and values are kept; [`ModelInfo::cache`] says how they are.
    pub cache: CacheType,
    /// How many threads are wanted, 0 for as many as pay off; [`ModelInfo::threads`] says how many there are.
    pub threads: u32,
}

/// Where the arithmetic is wanted. What cannot be had is replaced, and said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendWish {
    /// Where it is fastest.
    #[default]
    Best,
    /// On the CPU.
    Cpu,
    /// On the GPU.
    Gpu,
}

/// Where a model file is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// A file of a Hugging Face repository.
    Hub {
        /// `owner/name`.
        repo: String,
        /// The file's path in the repository.
        file: String,
        /// Branch, tag or commit; usually `main`.
        revision: String,
    },
    /// Any address that serves the file (absolute).
    Url(String),
    /// A file from the person's own disk; the `File` travels beside the request.
    Local {
        /// The file's name.
        name: String,
    },
}

/// The steps of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadStage {
    /// Bytes come over the network.
    Download,
    /// Bytes come from this device.
    Read,
}

/// Why a load begins again from the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartOver {
    /// The file became another one on the server.
    Changed,
    /// The server does not say whether it is still the same file.
    Unsure,
    /// The copy on this device is not what was written, or cannot be read.
    Unusable,
}
