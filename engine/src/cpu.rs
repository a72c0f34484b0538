//! Runs a plan fast on the CPU: packed weights, integer dot products, all threads at one op, or at products of the same
//! activations (of a single token, at its products and its attention: the rest is too little to share).
//!
//! Weights are packed once, while the file arrives ([`matrix`]); activations are quantised once for all the matrices
//! that read them ([`activations`]); what the machine can do is in one place ([`vector`]).

mod activations;
mod attention;
mod block;
mod dot;
mod kernels;
mod kv;
mod machine;
mod matrix;
mod op;
mod peak;
mod pool;
mod profile;
mod scales;
mod tune;
mod vector;

pub use machine::Machine;
pub use pool::{Helper, Pool, helper_died};

use crate::error::Result;
use crate::plan::snapshot::invalid;
use crate::plan::{
    Batch, Buf, CHECKPOINTS_MAX, History, Mem, Memory, Plan, Rewind, RopeParams, Rows, Snapshot, Weight,
};
use crate::protocol::{CacheType, Threads};
use crate::quant::Codec;
use activations::Activations;
use attention::Scratch;
use attention::tile::BLOCK;
use kernels::Kernels;
use kv::KvCache;
use matrix::Matrix;
use op::matmul::{self, share_a_job};
use op::rope::Angles;
use std::sync::Arc;

/// A weight, ready for its ops.
#[derive(Debug)]
enum Packed {
    /// A matrix.
    Matrix(Box<dyn Matrix>),
    /// Its numbers, `[rows, cols]`.
    Dense(Vec<f32>),
}

/// Tokens of a batch; longer ones are divided, so that a window's ring need not be longer.
const BATCH_MAX: usize = 128;

/// What a layer remembers.
#[derive(Debug, Clone)]
enum Remembered {
    /// Keys and values.
    Kv(KvCache),
    /// A state.
    State(Vec<f32>),
}

impl Remembered {
    /// The bytes of keys and of values of the first `n_written` positions, as many as there is room for; or of the state.
    fn parts(&mut self, n_written: usize) -> Vec<&mut [u8]> {
        match self {
            Self::Kv(kv) => kv.parts(n_written),
            Self::State(state) => vec![bytemuck::cast_slice_mut(state)],
        }
    }

    /// A recurrent state that an op reads.
    fn state(&self) -> &[f32] {
        match self {
            Self::State(state) => state,
            Self::Kv(_) => unreachable!("the plan calls it a state"),
        }
    }

    /// A recurrent state that an op replaces.
    fn state_mut(&mut self) -> &mut [f32] {
        match self {
            Self::State(state) => state,
            Self::Kv(_) => unreachable!("the plan calls it a state"),
        }
    }
}

/// Runs a plan on packed weights.
#[derive(Debug)]
pub struct Cpu {
    plan: Arc<Plan>,
    codecs: Vec<Codec>,
    weights: Vec<Packed>,
    memories: Vec<Remembered>,
    cache_type: CacheType,
    /// What was read; checkpoints copy the memories that cannot be cut.
    history: History<Vec<(Mem, Remembered)>>,
    bufs: Vec<Vec<f32>>,
    n_ctx: usize,
    /// The angles of the batch, for every kind of rotation.
    angles: Vec<(RopeParams, Option<Weight>, Angles)>,
    quantized: Option<Buf>,
    activations: Activations,
    scratch: Scratch,
    kernels: Kernels,
    pool: Pool,
    threads: Threads,
    clock: fn() -> f64,
    /// Whether to find out how many threads pay off.
    tunes: bool,
}

impl Cpu {
    /// An executor of `plan` whose weights are of these types; their bytes come by [`Self::put`].
    pub fn new(plan: Plan, codecs: Vec<Codec>, n_ctx: usize, cache_type: CacheType, machine: Machine) -> Self {
        let Machine { pool, clock, tune } = machine;
        let kernels = Kernels::fastest();
        let weights = plan.weights.iter().zip(&codecs).zip(plan.matrices());
        let weights = weights.map(|((w, codec), is_matrix)| match is_matrix {
            true => Packed::Matrix((kernels.matrix)(*codec, w.rows, w.cols)),
            false => Packed::Dense(vec![0.0; w.rows * w.cols]),
        });
        Self {
            weights: weights.collect(),
            memories: plan.memories.iter().map(|memory| remembered(memory, n_ctx, cache_type)).collect(),
            cache_type,
            history: History::new(plan.has_state(), plan.rings(n_ctx, BATCH_MAX, BLOCK)),
            bufs: vec![Vec::new(); plan.bufs.len()],
            angles: Vec::new(),
            quantized: None,
            activations: Activations::default(),
            scratch: Scratch::default(),
            kernels,
            threads: Threads::all(pool.n_threads_max()),
            clock,
            tunes: tune,
            pool,
            plan: Arc::new(plan),
            codecs,
            n_ctx,
        }
    }

    /// Bytes that the plan's weights of these types take; `None` where one of them is more than wasm allocates at once.
    pub fn weights_bytes(plan: &Plan, codecs: &[Codec]) -> Option<u64> {
        let weights = plan.weights.iter().zip(codecs).zip(plan.matrices());
        let bytes = weights.map(|((w, codec), is_matrix)| match is_matrix {
            true => matrix::bytes(*codec, w.rows, w.cols),
            false => (w.rows as u64).saturating_mul(w.cols as u64).saturating_mul(size_of::<f32>() as u64),
        });
        bytes.map(allocatable).sum()
    }

    /// Bytes that the plan's buffers take for a batch of this many tokens, of which one is an output; `None` as above.
    pub fn activations_bytes(plan: &Plan, n_tokens: usize) -> Option<u64> {
        let bytes = plan.bufs.iter().map(|buf| {
            let rows = if buf.rows == Rows::Tokens { n_tokens } else { 1 };
            (rows as u64).saturating_mul(buf.width as u64).saturating_mul(size_of::<f32>() as u64)
        });
        bytes.map(allocatable).sum()
    }

    /// Bytes that the plan's memories take when `n_ctx` tokens were read, and its checkpoints.
    pub fn memory_bytes(plan: &Plan, n_ctx: usize, cache_type: CacheType) -> u64 {
        let copies = |memory: &Memory| if is_cuttable(memory, n_ctx) { 0 } else { CHECKPOINTS_MAX as u64 };
        let bytes = |memory: &Memory| match memory {
            Memory::Kv(kv) => {
                let groups = kv.elements().div_ceil(32) as u64 * cache_type.bytes_of_32() as u64;
                kv.n_slots(n_ctx, BATCH_MAX, BLOCK) as u64 * groups
            }
            Memory::State { len } => *len as u64 * size_of::<f32>() as u64,
        };
        plan.memories.iter().map(|memory| bytes(memory).saturating_mul(1 + copies(memory))).sum()
    }

    /// Bytes that keys, values and states take by now, without those of checkpoints.
    pub fn held_bytes(&self) -> u64 {
        let bytes = self.memories.iter().map(|memory| match memory {
            Remembered::Kv(kv) => kv.bytes(),
            Remembered::State(state) => size_of_val(state.as_slice()),
        });
        bytes.sum::<usize>() as u64
    }

    /// Takes whole rows of a weight, in order.
    pub fn put(&mut self, weight: Weight, first_row: usize, bytes: &[u8]) {
        match &mut self.weights[weight.0] {
            Packed::Matrix(matrix) => matrix.put(first_row, bytes),
            Packed::Dense(numbers) => {
                let codec = self.codecs[weight.0];
                let len = bytes.len() / codec.block_bytes() * codec.block_len();
                let first = first_row * self.plan.weights[weight.0].cols;
                codec.dequantize(bytes, &mut numbers[first..][..len]);
            }
        }
    }

    /// Tokens that fit into the cache.
    pub fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// How it keeps keys and values.
    pub fn cache_type(&self) -> CacheType {
        self.cache_type
    }

    /// See [`crate::backend::Backend::tokens`].
    pub fn tokens(&self) -> &[u32] {
        self.history.tokens()
    }

    /// See [`crate::backend::Backend::rewind`].
    pub fn rewind(&mut self, n: usize) -> usize {
        match self.history.rewind(n) {
            Rewind::Cut => {}
            Rewind::Restore(copies) => {
                copies.iter().for_each(|(mem, copy)| self.memories[mem.0].clone_from(copy));
            }
            Rewind::Clear => self.clear_states(),
        }
        self.history.len()
    }

    /// Makes every state what it is before the first token.
    fn clear_states(&mut self) {
        for memory in &mut self.memories {
            match memory {
                Remembered::Kv(_) => {}
                Remembered::State(state) => state.fill(0.0),
            }
        }
    }

    /// See [`crate::backend::Backend::save`].
    pub fn save(&mut self) -> Snapshot {
        let n_written = self.history.n_written();
        let memories = self.memories.iter_mut().map(|memory| memory.parts(n_written).concat()).collect();
        Snapshot { fingerprint: self.fingerprint(), tokens: self.history.tokens().to_vec(), n_written, memories }
    }

    /// See [`crate::backend::Backend::restore`].
    ///
    /// # Errors
    /// `Invalid` if it is a snapshot of something else, or damaged: then nothing is held.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.rewind(0);
        self.history.check(snapshot, self.n_ctx)?;
        if snapshot.fingerprint != self.fingerprint() {
            return Err(invalid("it is of another model, or of another way to keep it"));
        }
        if let Err(error) = self.put_memories(snapshot) {
            self.clear_states();
            return Err(error);
        }
        self.history.restore(snapshot);
        self.checkpoint();
        Ok(())
    }

    fn put_memories(&mut self, snapshot: &Snapshot) -> Result<()> {
        for (mem, memory) in self.memories.iter_mut().enumerate() {
            snapshot.copy_to(mem, memory.parts(snapshot.n_written))?;
        }
        if snapshot.memories.len() == self.memories.len() { Ok(()) } else { Err(invalid("it has too many memories")) }
    }

    fn fingerprint(&self) -> u64 {
        self.plan.fingerprint(&format!(
            "cpu {} {:?}",
            self.cache_type.name(),
            self.plan.rings(self.n_ctx, BATCH_MAX, BLOCK)
        ))
    }

    /// See [`crate::backend::Backend::needs_checkpoints`].
    pub fn needs_checkpoints(&self) -> bool {
        self.history.needs_checkpoints()
    }

    /// See [`crate::backend::Backend::checkpoint`].
    pub fn checkpoint(&mut self) {
        let Self { plan, memories, n_ctx, .. } = self;
        let cannot_be_cut = |mem: &Mem| !is_cuttable(&plan.memories[mem.0], *n_ctx);
        let mems = (0..memories.len()).map(Mem).filter(cannot_be_cut);
        self.history.checkpoint(|| mems.map(|mem| (mem, memories[mem.0].clone())).collect());
    }

    /// See [`crate::backend::Backend::forward`].
    pub fn forward(&mut self, batch: &Batch<'_>) -> Vec<f32> {
        batch.chunks(BATCH_MAX).flat_map(|chunk| self.run_batch(&chunk)).collect()
    }

    fn run_batch(&mut self, batch: &Batch<'_>) -> Vec<f32> {
        self.run_ops(self.plan.ops.len(), batch);
        self.history.extend(batch.tokens);
        self.plan.logits.map(|logits| self.bufs[logits.0].clone()).unwrap_or_default()
    }

    /// Runs the first ops of the plan.
    fn run_ops(&mut self, n_ops: usize, batch: &Batch<'_>) {
        self.prepare(batch);
        let plan = Arc::clone(&self.plan);
        for ops in plan.ops[..n_ops].chunk_by(share_a_job) {
            match ops {
                [op] => self.run(op, batch),
                products => matmul::run(self, products),
            }
        }
    }

    /// Makes room for a batch.
    fn prepare(&mut self, batch: &Batch<'_>) {
        let (start, n_tokens) = (self.history.len(), batch.tokens.len());
        assert!(n_tokens <= BATCH_MAX, "{n_tokens} tokens in a batch");
        assert!(start + n_tokens <= self.n_ctx, "{start} + {n_tokens} tokens in a context of {}", self.n_ctx);
        for (buf, info) in self.bufs.iter_mut().zip(&self.plan.bufs) {
            let rows = match info.rows {
                Rows::Tokens => n_tokens,
                Rows::Outputs => batch.output_rows().len(),
            };
            buf.resize(rows * info.width, 0.0);
        }
        self.pool.use_threads(self.threads_for(n_tokens));
        self.angles.clear();
        self.quantized = None;
    }

    /// The buffer, taken out so that others can be read while it is written.
    fn take(&mut self, buf: Buf) -> Vec<f32> {
        if self.quantized == Some(buf) {
            self.quantized = None;
        }
        std::mem::take(&mut self.bufs[buf.0])
    }

    /// A weight's numbers, `[rows, cols]`.
    fn dense(&self, weight: Weight) -> &[f32] {
        match &self.weights[weight.0] {
            Packed::Dense(numbers) => numbers,
            Packed::Matrix(_) => unreachable!("no op multiplies by this weight"),
        }
    }
}

/// A weight that is multiplied by, or that tokens are embedded by.
fn matrix_of(weights: &[Packed], weight: Weight) -> &dyn Matrix {
    match &weights[weight.0] {
        Packed::Matrix(matrix) => &**matrix,
        Packed::Dense(_) => unreachable!("the plan calls it a matrix"),
    }
}

/// Room for what a layer remembers, with nothing in it yet.
fn remembered(memory: &Memory, n_ctx: usize, cache_type: CacheType) -> Remembered {
    match memory {
        Memory::Kv(kv) => Remembered::Kv(KvCache::new(*kv, kv.n_slots(n_ctx, BATCH_MAX, BLOCK), cache_type)),
        Memory::State { len } => Remembered::State(vec![0.0; *len]),
    }
}

/// Whether a memory keeps all of a context, so that whatever comes last can be forgotten.
fn is_cuttable(memory: &Memory, n_ctx: usize) -> bool {
    match memory {
        Memory::Kv(kv) => kv.ring_len(n_ctx, BATCH_MAX, BLOCK).is_none(),
        Memory::State { .. } => false,
    }
}

/// Keys and values that an op stores or reads.
fn kv_cache(memory: &mut Remembered) -> &mut KvCache {
    match memory {
        Remembered::Kv(kv) => kv,
        Remembered::State(_) => unreachable!("the plan calls it keys and values"),
    }
}

/// So many bytes, if wasm allocates them at once.
fn allocatable(n_bytes: u64) -> Option<u64> {
    (n_bytes <= i32::MAX as u64).then_some(n_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_not_larger_than_can_be_allocated() {
        for (rows, expected) in [(32_000, Some(32_000 * 4096 * 9 / 16)), (1 << 20, None), (usize::MAX, None)] {
            let mut plan = Plan::default();
            let weight = plan.weight("w", rows, 4096);
            let dst = plan.buf("x", 4096);
            plan.push(crate::plan::op::Embed { weight, scale: 1.0, dst });
            assert_eq!(Cpu::weights_bytes(&plan, &[Codec::Q4_0]), expected, "{rows} rows");
        }
    }

    #[test]
    fn a_buffer_is_not_larger_than_can_be_allocated() {
        for (width, expected) in [(576, Some(4 * (128 * 576 + 1000))), (1 << 22, None), (usize::MAX, None)] {
            let mut plan = Plan::default();
            plan.buf("x", width);
            plan.output_buf("logits", 1000);
            assert_eq!(Cpu::activations_bytes(&plan, 128), expected, "{width} wide");
        }
    }
}
