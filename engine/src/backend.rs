//! Where a plan runs: one closed choice, made when the model is loaded.

use crate::cpu::Cpu;
use crate::error::Result;
use crate::gpu::{Counters, Device, Drawing, Gpu};
use crate::protocol::{CacheType, Sampling, Threads};
use crate::reference::Reference;

/// Which tokens of a batch need their logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// None: the batch only fills the cache.
    None,
    /// The last one's.
    Last,
    /// Everyone's.
    All,
}

/// Neighbouring tokens of one conversation.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// Token ids, all below `n_vocab`.
    pub tokens: &'a [u32],
    /// Position of the first one. The cache keeps the positions before it, and forgets any from it on.
    pub start: usize,
    /// Which logits are wanted.
    pub outputs: Outputs,
}

impl Batch<'_> {
    /// The rows, of the batch's own, whose logits are wanted.
    pub fn output_rows(&self) -> std::ops::Range<usize> {
        let n = self.tokens.len();
        match self.outputs {
            Outputs::None => n..n,
            Outputs::Last => n.saturating_sub(1)..n,
            Outputs::All => 0..n,
        }
    }
}

/// Which backend a model is loaded for.
#[derive(Debug, Clone)]
pub enum BackendKind {
    /// Plain loops: the definition, and slow.
    Reference,
    /// SIMD on packed weights, with keys and values kept this way.
    Cpu(CacheType),
    /// Shaders on packed weights, on this device.
    Gpu(Device),
}

/// A loaded model's weights and cache, and how to run its plan.
#[derive(Debug)]
pub enum Backend {
    /// See [`BackendKind::Reference`].
    Reference(Reference),
    /// See [`BackendKind::Cpu`].
    Cpu(Box<Cpu>),
    /// See [`BackendKind::Gpu`].
    Gpu(Box<Gpu>),
}

impl Backend {
    /// Runs the plan for `batch`: logits `[n_outputs, n_vocab]`.
    ///
    /// # Errors
    /// Only a GPU has some: it is lost, or has no memory left.
    ///
    /// # Panics
    /// If a token is not in the vocabulary, or the batch leaves a gap in the cache or runs over its end.
    pub async fn forward(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        match self {
            Self::Reference(reference) => Ok(reference.forward(batch)),
            Self::Cpu(cpu) => Ok(cpu.forward(batch)),
            Self::Gpu(gpu) => gpu.forward(batch).await,
        }
    }

    /// Whether it draws tokens in this way by itself, without the logits going anywhere.
    pub fn can_draw(&self, sampling: &Sampling) -> bool {
        match self {
            Self::Reference(_) | Self::Cpu(_) => false,
            Self::Gpu(gpu) => gpu.can_draw(sampling),
        }
    }

    /// Reads a batch and begins to draw the tokens after it; see [`Self::can_draw`].
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn start_drawing(&mut self, batch: &Batch<'_>, drawing: &Drawing) -> Result<()> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => unreachable!("they leave drawing to the sampler"),
            Self::Gpu(gpu) => gpu.start_drawing(batch, drawing),
        }
    }

    /// The next token of the reply that was begun. Reading it has been begun, too, if the cache has room for it.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub async fn drawn(&mut self) -> Result<u32> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => unreachable!("they leave drawing to the sampler"),
            Self::Gpu(gpu) => gpu.drawn().await,
        }
    }

    /// Waits until it has nothing more to do.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub async fn settle(&mut self) -> Result<()> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => Ok(()),
            Self::Gpu(gpu) => gpu.settle().await,
        }
    }

    /// What was asked of the GPU so far, if it runs on one.
    pub fn counters(&self) -> Option<Counters> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => None,
            Self::Gpu(gpu) => Some(gpu.counters()),
        }
    }

    /// Whether it is gone: what it held has to be loaded again, somewhere else.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Reference(_) | Self::Cpu(_) => false,
            Self::Gpu(gpu) => gpu.device().is_lost(),
        }
    }

    /// Tokens that fit into the cache.
    pub fn n_ctx(&self) -> usize {
        match self {
            Self::Reference(reference) => reference.n_ctx(),
            Self::Cpu(cpu) => cpu.n_ctx(),
            Self::Gpu(gpu) => gpu.n_ctx(),
        }
    }

    /// Tokens for which a GPU had memory, if it has run out of it for more.
    pub fn n_ctx_before(&self) -> Option<usize> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => None,
            Self::Gpu(gpu) => gpu.n_ctx_before(),
        }
    }

    /// How keys and values are kept; the definition keeps them as floats.
    pub fn cache_type(&self) -> CacheType {
        match self {
            Self::Reference(_) | Self::Gpu(_) => CacheType::F16,
            Self::Cpu(cpu) => cpu.cache_type(),
        }
    }

    /// Threads that write a reply, and that read a prompt.
    pub fn threads(&self) -> Threads {
        match self {
            Self::Reference(_) | Self::Gpu(_) => Threads::ONE,
            Self::Cpu(cpu) => cpu.threads(),
        }
    }

    /// What the page shows.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reference(_) => "reference",
            Self::Cpu(_) => "cpu",
            Self::Gpu(_) => "gpu",
        }
    }
}
