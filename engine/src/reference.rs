//! The definition of every op: plain loops over f32, one small function a file, arguments in the shader's order.
//!
//! It is what the fast backends are tested against, and it is tested against llama.cpp. It is slow.

mod add;
mod attention;
mod conv;
mod embed;
mod glu;
mod matmul;
mod mul;
mod rms_norm;
mod rope;
mod store;
mod take_outputs;
#[cfg(test)]
mod tests;

pub use add::add;
pub use attention::{Cached, attention};
pub use conv::conv;
pub use embed::embed;
pub use glu::{activate, glu};
pub use matmul::matmul;
pub use mul::mul;
pub use rms_norm::rms_norm;
pub use rope::{cos_sin, rope};
pub use store::store;
pub use take_outputs::take_outputs;

use crate::error::Result;
use crate::plan::snapshot::invalid;
use crate::plan::{Batch, Buf, History, Memory, Op, Plan, Rewind, Rows, Snapshot, Weight};
use crate::quant::Codec;

/// A tensor as it is in the file: `[rows, cols]`.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Type of the elements.
    pub codec: Codec,
    /// Rows.
    pub rows: usize,
    /// Elements in a row.
    pub cols: usize,
    /// Blocks.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// One row's numbers.
    pub fn row(&self, row: usize) -> Vec<f32> {
        let row_bytes = self.bytes.len() / self.rows;
        let mut dst = vec![0.0; self.cols];
        self.codec.dequantize(&self.bytes[row * row_bytes..][..row_bytes], &mut dst);
        dst
    }
}

/// Tokens of a batch; longer ones are divided, so that a window's ring need not be longer.
const BATCH_MAX: usize = 128;

/// What a layer remembers.
#[derive(Debug, Clone)]
enum Remembered {
    /// Keys and values, `[n_slots, n_head_kv · head_dim]` each: position p in slot p % n_slots.
    Kv { n_slots: usize, keys: Vec<f32>, values: Vec<f32> },
    /// A state.
    State(Vec<f32>),
}

impl Remembered {
    fn new(memory: &Memory, n_ctx: usize) -> Self {
        match memory {
            Memory::Kv(kv) => {
                Self::Kv { n_slots: kv.n_slots(n_ctx, BATCH_MAX, 1), keys: Vec::new(), values: Vec::new() }
            }
            Memory::State { len } => Self::State(vec![0.0; *len]),
        }
    }

    /// The bytes of keys and of values of the first `n_written` positions, as many as there is room for; or of the state.
    fn parts(&mut self, shape: &Memory, n_written: usize) -> Vec<&mut [u8]> {
        match (self, shape) {
            (Self::Kv { n_slots, keys, values }, Memory::Kv(kv)) => {
                let n_rows = n_written.min(*n_slots) * kv.n_head_kv;
                keys.resize(n_rows * kv.k_dim, 0.0);
                values.resize(n_rows * kv.v_dim, 0.0);
                vec![bytemuck::cast_slice_mut(keys), bytemuck::cast_slice_mut(values)]
            }
            (Self::State(state), Memory::State { .. }) => vec![bytemuck::cast_slice_mut(state)],
            (Self::Kv { .. }, Memory::State { .. }) | (Self::State(_), Memory::Kv(_)) => {
                unreachable!("a memory is what the plan says")
            }
        }
    }

    /// How many slots there are, keys and values.
    fn kv(&mut self) -> (usize, &mut Vec<f32>, &mut Vec<f32>) {
        match self {
            Self::Kv { n_slots, keys, values } => (*n_slots, keys, values),
            Self::State(_) => unreachable!("the plan keeps keys and values there"),
        }
    }

    /// A recurrent state.
    fn state(&mut self) -> &mut [f32] {
        match self {
            Self::State(state) => state,
            Self::Kv { .. } => unreachable!("the plan keeps a state there"),
        }
    }
}

/// Runs a plan with plain loops.
#[derive(Debug)]
pub struct Reference {
    plan: Plan,
    weights: Vec<Tensor>,
    memories: Vec<Remembered>,
    history: History<Vec<Remembered>>,
    bufs: Vec<Vec<f32>>,
    n_ctx: usize,
}

impl Reference {
    /// An executor of `plan` whose weights are of these types; their bytes come by [`Self::put`].
    pub fn new(plan: Plan, codecs: Vec<Codec>, n_ctx: usize) -> Self {
        let weights = plan.weights.iter().zip(codecs);
        let weights =
            weights.map(|(w, codec)| Tensor { codec, rows: w.rows, cols: w.cols, bytes: Vec::new() }).collect();
        let memories = plan.memories.iter().map(|memory| Remembered::new(memory, n_ctx)).collect();
        let history = History::new(plan.has_state(), plan.rings(n_ctx, BATCH_MAX, 1));
        let bufs = vec![Vec::new(); plan.bufs.len()];
        Self { plan, weights, memories, history, bufs, n_ctx }
    }

    /// Takes whole rows of a weight, in order.
    pub fn put(&mut self, weight: Weight, first_row: usize, bytes: &[u8]) {
        let tensor = &mut self.weights[weight.0];
        let row_bytes = tensor.codec.row_bytes(tensor.cols).expect("the file's rows are whole blocks");
        assert_eq!(tensor.bytes.len(), first_row * row_bytes, "rows come in order");
        tensor.bytes.extend_from_slice(bytes);
    }

    /// Tokens that fit into the cache.
    pub fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// See [`crate::backend::Backend::tokens`].
    pub fn tokens(&self) -> &[u32] {
        self.history.tokens()
    }

    /// See [`crate::backend::Backend::rewind`].
    pub fn rewind(&mut self, n: usize) -> usize {
        match self.history.rewind(n) {
            Rewind::Cut => {}
            Rewind::Restore(copy) => self.memories.clone_from(copy),
            Rewind::Clear => self.clear_states(),
        }
        self.history.len()
    }

    /// Makes every state what it is before the first token.
    fn clear_states(&mut self) {
        for memory in &mut self.memories {
            match memory {
                Remembered::Kv { .. } => {}
                Remembered::State(state) => state.fill(0.0),
            }
        }
    }

    /// See [`crate::backend::Backend::save`].
    pub fn save(&mut self) -> Snapshot {
        let n_written = self.history.n_written();
        let memories = self.memories.iter_mut().zip(&self.plan.memories);
        let memories = memories.map(|(memory, shape)| memory.parts(shape, n_written).concat()).collect();
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
            snapshot.copy_to(mem, memory.parts(&self.plan.memories[mem], snapshot.n_written))?;
        }
        if snapshot.memories.len() == self.memories.len() { Ok(()) } else { Err(invalid("it has too many memories")) }
    }

    fn fingerprint(&self) -> u64 {
        self.plan.fingerprint(&format!("reference {:?}", self.plan.rings(self.n_ctx, BATCH_MAX, 1)))
    }

    /// See [`crate::backend::Backend::needs_checkpoints`].
    pub fn needs_checkpoints(&self) -> bool {
        self.history.needs_checkpoints()
    }

    /// See [`crate::backend::Backend::checkpoint`].
    pub fn checkpoint(&mut self) {
        self.history.checkpoint(|| self.memories.clone());
    }

    /// See [`crate::backend::Backend::forward`].
    pub fn forward(&mut self, batch: &Batch<'_>) -> Vec<f32> {
        batch.chunks(BATCH_MAX).flat_map(|chunk| self.run_batch(&chunk)).collect()
    }

    fn run_batch(&mut self, batch: &Batch<'_>) -> Vec<f32> {
        let (start, n_tokens) = (self.history.len(), batch.tokens.len());
        assert!(start + n_tokens <= self.n_ctx, "{start} + {n_tokens} tokens in a context of {}", self.n_ctx);
        let n_outputs = batch.output_rows().len();
        for (buf, info) in self.bufs.iter_mut().zip(&self.plan.bufs) {
            let rows = match info.rows {
                Rows::Tokens => n_tokens,
                Rows::Outputs => n_outputs,
            };
            buf.clear();
            buf.resize(rows * info.width, 0.0);
        }
        for op in 0..self.plan.ops.len() {
            self.run(&self.plan.ops[op].clone(), batch);
        }
        self.history.extend(batch.tokens);
        self.plan.logits.map(|logits| self.buf(logits)).unwrap_or_default()
    }

    /// A copy of a buffer's contents.
    pub fn buf(&self, buf: Buf) -> Vec<f32> {
        self.bufs[buf.0].clone()
    }

    /// A weight's numbers, `[rows, cols]`.
    fn dense(&self, weight: Weight) -> Vec<f32> {
        let tensor = &self.weights[weight.0];
        (0..tensor.rows).flat_map(|row| tensor.row(row)).collect()
    }

    fn run(&mut self, op: &Op, batch: &Batch<'_>) {
        match op {
            Op::Embed(op) => embed::run(self, op, batch.tokens),
            Op::RmsNorm(op) => rms_norm::run(self, op),
            Op::MatMul(op) => matmul::run(self, op),
            Op::Rope(op) => rope::run(self, op),
            Op::Store(op) => store::run(self, op),
            Op::Attention(op) => attention::run(self, op),
            Op::Conv(op) => conv::run(self, op),
            Op::Add(op) => add::run(self, op),
            Op::Mul(op) => mul::run(self, op),
            Op::Glu(op) => glu::run(self, op),
            Op::TakeOutputs(op) => take_outputs::run(self, op, batch.output_rows()),
        }
    }
}
