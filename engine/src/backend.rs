//! Where a plan runs: one closed choice, made when the model is loaded.

use crate::cpu::Cpu;
use crate::error::Result;
use crate::gpu::{Counters, Device, Gpu};
use crate::plan::{Batch, Outputs, Snapshot};
use crate::protocol::{CacheType, Threads};
use crate::reference::Reference;
use crate::sampler::Sampler;

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

/// A loaded model's weights and memory, and how to run its plan.
#[derive(Debug)]
pub enum Backend {
    /// See [`BackendKind::Reference`].
    Reference(Box<Reference>),
    /// See [`BackendKind::Cpu`].
    Cpu(Box<Cpu>),
    /// See [`BackendKind::Gpu`].
    Gpu(Box<Gpu>),
}

impl Backend {
    /// Runs the plan for `batch`, which follows the tokens that are held: logits `[n_outputs, n_vocab]`.
    ///
    /// # Errors
    /// Only a GPU has some: it is lost, or has no memory left. It then holds what it held before, or less: see [`Self::tokens`].
    ///
    /// # Panics
    /// If a token is not in the vocabulary, or the batch runs over the end of the context.
    pub async fn forward(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        match self {
            Self::Reference(reference) => Ok(reference.forward(batch)),
            Self::Cpu(cpu) => Ok(cpu.forward(batch)),
            Self::Gpu(gpu) => gpu.forward(batch).await,
        }
    }

    /// Reads tokens, at least one, and samples the one after them. A GPU goes on to decode ahead, as far as the sampler says that
    /// tokens are wanted, and has the next one sooner if it is asked for by this one and the same sampler, which has accepted it.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub async fn next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32> {
        let batch = Batch { tokens, outputs: Outputs::Last };
        match self {
            Self::Reference(reference) => Ok(sampler.sample(&mut reference.forward(&batch))),
            Self::Cpu(cpu) => Ok(sampler.sample(&mut cpu.forward(&batch))),
            Self::Gpu(gpu) => gpu.next(tokens, sampler).await,
        }
    }

    /// The tokens that are held: what was read, and not forgotten since.
    pub fn tokens(&self) -> &[u32] {
        match self {
            Self::Reference(reference) => reference.tokens(),
            Self::Cpu(cpu) => cpu.tokens(),
            Self::Gpu(gpu) => gpu.tokens(),
        }
    }

    /// Forgets tokens from `n` on, or, where memory cannot be cut there, from the newest checkpoint before; 0 always works. Says
    /// how many are left.
    pub fn rewind(&mut self, n: usize) -> usize {
        match self {
            Self::Reference(reference) => reference.rewind(n),
            Self::Cpu(cpu) => cpu.rewind(n),
            Self::Gpu(gpu) => gpu.rewind(n),
        }
    }

    /// Makes here a place to come back to: a copy of what cannot be cut, of which the first and the last few are kept. Free where
    /// all memory is keys and values of the whole context.
    ///
    /// # Panics
    /// If the last call was [`Self::next`].
    pub fn checkpoint(&mut self) {
        match self {
            Self::Reference(reference) => reference.checkpoint(),
            Self::Cpu(cpu) => cpu.checkpoint(),
            Self::Gpu(gpu) => gpu.checkpoint(),
        }
    }

    /// All that is held, for [`Self::restore`]. A GPU first rewinds what it has decoded ahead.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub async fn save(&mut self) -> Result<Snapshot> {
        match self {
            Self::Reference(reference) => Ok(reference.save()),
            Self::Cpu(cpu) => Ok(cpu.save()),
            Self::Gpu(gpu) => gpu.save().await,
        }
    }

    /// Holds what a snapshot of the same model, on the same kind of backend, holds, and makes a checkpoint there. Whatever was held
    /// before is forgotten.
    ///
    /// # Errors
    /// `Invalid` if the snapshot is of something else, or damaged: then nothing is held. As [`Self::forward`].
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        match self {
            Self::Reference(reference) => reference.restore(snapshot),
            Self::Cpu(cpu) => cpu.restore(snapshot),
            Self::Gpu(gpu) => gpu.restore(snapshot),
        }
    }

    /// Whether [`Self::rewind`] goes further back than wanted without a checkpoint.
    pub fn needs_checkpoints(&self) -> bool {
        match self {
            Self::Reference(reference) => reference.needs_checkpoints(),
            Self::Cpu(cpu) => cpu.needs_checkpoints(),
            Self::Gpu(gpu) => gpu.needs_checkpoints(),
        }
    }

    /// Whether it goes on with a reply while nobody asks: see [`Self::next`].
    pub fn decodes_ahead(&self) -> bool {
        match self {
            Self::Reference(_) | Self::Cpu(_) => false,
            Self::Gpu(_) => true,
        }
    }

    /// Waits until it has nothing more to do.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub async fn wait_idle(&mut self) -> Result<()> {
        match self {
            Self::Reference(_) | Self::Cpu(_) => Ok(()),
            Self::Gpu(gpu) => gpu.wait_idle().await,
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

    /// Tokens that fit into the memory.
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
