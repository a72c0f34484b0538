//! Models: the one that answers, and those on this device.

use crate::{CacheType, Source, Threads};
use serde::{Deserialize, Serialize};

/// What the page shows about the loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// The file's `general.name`, else its file name.
    pub name: String,
    /// The file's `general.architecture`.
    pub architecture: String,
    /// The type of most weights, in llama.cpp's words: `Q4_K`, `Q8_0`, …
    pub weight_type: String,
    /// How many parameters it has.
    pub n_params: u64,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Tokens of context it was loaded with.
    pub context_tokens: u32,
    /// Tokens of context it was trained with.
    pub trained_context_tokens: u32,
    /// Where the arithmetic runs: `cpu` or `gpu`.
    pub backend: String,
    /// What of that device's abilities it uses: `simd128`, `relaxed-simd`, `subgroups`, …; and why it is not the GPU, if
    /// anybody could wonder.
    pub tier: String,
    /// On the CPU although a GPU has passed the test: `tier` says why.
    pub is_second_best: bool,
    /// On the CPU because the GPU had no room for so long a conversation: a context, in tokens, that it has room for.
    pub roomy_context_tokens: Option<u32>,
    /// How it keeps keys and values; on a GPU always as halves.
    pub cache: CacheType,
    /// How many threads it runs on.
    pub threads: Threads,
    /// The build of the engine: `plain`, `plain-threads`, `relaxed` or `threads`.
    pub variant: String,
    /// Whether its template can switch thinking on and off.
    pub can_think: bool,
    /// If the file has no chat template: the name of the one used instead.
    pub fallback_template: Option<String>,
    /// Seconds from the request to now.
    pub load_secs: f64,
    /// Whether the file is kept on this device; if it should have been, why not.
    pub kept: Kept,
}

/// What became of the wish to keep a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// It is on this device.
    Yes,
    /// Nobody asked.
    NotAsked,
    /// It could not be kept, for this reason.
    No(String),
}

/// A model file on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredModel {
    /// The store's name for it.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// Bytes that are here.
    pub stored_bytes: u64,
    /// Bytes of the whole file.
    pub total_bytes: u64,
}
