//! What the worker tells the page.

use crate::{ErrorKind, GpuCost, LoadStage, ModelInfo, Profile, ReplyStats, Stage, StartOver, StoredModel, VERSION};
use serde::{Deserialize, Serialize};

/// What the worker tells the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker listens.
    Ready {
        /// The worker's [`VERSION`].
        version: u32,
    },
    /// The models on this device, and the room for more.
    Stored {
        /// Every model, finished or not.
        models: Vec<StoredModel>,
        /// Bytes this site uses.
        used_bytes: u64,
        /// Bytes this site may use, as the browser estimates it; 0 if it does not say.
        quota_bytes: u64,
    },
    /// A load goes on.
    Progress {
        /// What is happening.
        stage: LoadStage,
        /// Bytes that are done.
        loaded_bytes: u64,
        /// Bytes of the whole file; 0 while unknown.
        total_bytes: u64,
    },
    /// What is stored of the model is no good: the load begins again from the first byte.
    StartedOver(StartOver),
    /// The model answers from now on.
    Loaded(ModelInfo),
    /// The model was loaded again, because the GPU was lost or its memory ran out, or after another that did not come: it
    /// goes on where this says.
    Moved(ModelInfo),
    /// There is no model any more: it made room for one that did not come, or its device was lost, and it is not at hand.
    Unloaded,
    /// The load was given up, as asked.
    LoadCancelled,
    /// The prompt is being read.
    Prompt {
        /// Tokens read in this turn so far.
        done_tokens: u32,
        /// Tokens this turn has to read.
        total_tokens: u32,
    },
    /// More of the reply.
    Text {
        /// Whole characters.
        text: String,
        /// Part of the model's thoughts, not of its answer.
        thought: bool,
    },
    /// The oldest turns no longer fit into the context and were left out of this prompt.
    Dropped {
        /// How many messages were left out.
        messages: u32,
    },
    /// The reply is complete.
    Done(ReplyStats),
    /// A measurement goes on.
    Measuring {
        /// Tokens computed so far, of all tests of the request.
        done_tokens: u64,
        /// Tokens that the request takes.
        total_tokens: u64,
    },
    /// A measurement is complete.
    Measured {
        /// llama-bench's name of the test: `pp512`, `tg64`, `tg64 @ d512`.
        test: String,
        /// Tokens per second of every repetition.
        tokens_per_sec: Vec<f64>,
        /// Bytes of the wasm heap.
        heap_bytes: u64,
        /// What a token costs the GPU, of a test that generates on one.
        gpu_cost: Option<GpuCost>,
        /// What took how long on the CPU, if that was asked for.
        profile: Option<Profile>,
    },
    /// A request failed; whatever had been there before is still there, but for a model that is [unloaded](Self::Unloaded).
    Failed {
        /// Which request.
        during: Stage,
        /// What went wrong.
        kind: ErrorKind,
        /// A sentence for the person.
        message: String,
    },
}

impl Event {
    /// What a worker of this version says first.
    pub const READY: Self = Self::Ready { version: VERSION };
}
