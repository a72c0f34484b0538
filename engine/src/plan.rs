//! A [`Plan`] says what to compute for a batch of tokens, not where or how.
//!
//! A model writes it once, when it is loaded; a backend runs it for every batch. Buffers hold one row per token of the
//! batch, or one row per wanted logit row after [`op::TakeOutputs`]. A plan can be printed: `to_string` is one line an op.

mod batch;
mod history;
mod memory;
pub mod op;
pub mod snapshot;

pub use batch::{Batch, Outputs};
pub use history::{CHECKPOINTS_MAX, History, Rewind, Ring};
pub use memory::{Kv, Mem, Memory};
pub use op::{Activation, Op, Role, RopePairs, RopeParams, Uses};
pub use snapshot::Snapshot;

use std::fmt;
use std::ops::Range;

/// A numbered activation buffer, `[rows, width]` f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Buf(pub usize);

/// A numbered weight: a tensor of the file, or some rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Weight(pub usize);

/// Which rows a buffer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One for every token of the batch.
    Tokens,
    /// One for every token whose logits are wanted.
    Outputs,
}

/// What a plan says of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufInfo {
    /// For people.
    pub name: &'static str,
    /// f32 in one row.
    pub width: usize,
    /// How many rows.
    pub rows: Rows,
}

/// What a plan says of a weight: which rows of which tensor, and the shape they must have.
///
/// Mostly that is a whole tensor. Fused ones (queries, keys and values; gate and up) are several weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightInfo {
    /// The tensor's name in the file.
    pub tensor: String,
    /// The tensor's row that is the weight's first.
    pub first_row: usize,
    /// Rows (GGUF's second dimension); 1 for a vector.
    pub rows: usize,
    /// Elements in a row (GGUF's first dimension).
    pub cols: usize,
}

impl WeightInfo {
    /// The tensor's rows that the weight is.
    pub fn range(&self) -> Range<usize> {
        self.first_row..self.first_row + self.rows
    }
}

/// Everything a backend must know to run a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// By [`Buf`].
    pub bufs: Vec<BufInfo>,
    /// By [`Weight`].
    pub weights: Vec<WeightInfo>,
    /// By [`Mem`].
    pub memories: Vec<Memory>,
    /// In the order of execution.
    pub ops: Vec<Op>,
    /// `[n_outputs, n_vocab]`: the result.
    pub logits: Option<Buf>,
    /// Tokens of context that the plan holds for, where the model was trained with more.
    pub n_ctx_max: Option<usize>,
}

impl Plan {
    /// The buffer of this name and width, of one row a token; asked for twice, it is the same one.
    pub fn buf(&mut self, name: &'static str, width: usize) -> Buf {
        self.known_buf(BufInfo { name, width, rows: Rows::Tokens })
    }

    /// The same, of one row an output.
    pub fn output_buf(&mut self, name: &'static str, width: usize) -> Buf {
        self.known_buf(BufInfo { name, width, rows: Rows::Outputs })
    }

    fn known_buf(&mut self, info: BufInfo) -> Buf {
        Buf(index_of(&mut self.bufs, info))
    }

    /// The tensor of this name as a weight; asked for twice, it is the same one.
    pub fn weight(&mut self, tensor: impl Into<String>, rows: usize, cols: usize) -> Weight {
        self.weight_rows(tensor, 0..rows, cols)
    }

    /// These rows of the tensor of this name as a weight; asked for twice, it is the same one.
    pub fn weight_rows(&mut self, tensor: impl Into<String>, rows: Range<usize>, cols: usize) -> Weight {
        let info = WeightInfo { tensor: tensor.into(), first_row: rows.start, rows: rows.len(), cols };
        Weight(index_of(&mut self.weights, info))
    }

    /// A new KV cache, of heads whose keys and values have `head_dim` elements.
    pub fn kv_cache(&mut self, n_head_kv: usize, head_dim: usize, window: Option<usize>) -> Mem {
        self.memory(Memory::Kv(Kv { n_head_kv, k_dim: head_dim, v_dim: head_dim, window }))
    }

    /// A new memory.
    pub fn memory(&mut self, memory: Memory) -> Mem {
        self.memories.push(memory);
        Mem(self.memories.len() - 1)
    }

    /// The shape of a KV cache.
    ///
    /// # Panics
    /// If it is another kind of memory.
    pub fn kv(&self, mem: Mem) -> Kv {
        match self.memories[mem.0] {
            Memory::Kv(kv) => kv,
            Memory::State { .. } => panic!("memory {} has no keys and values", mem.0),
        }
    }

    /// Appends a step.
    pub fn push(&mut self, op: impl Into<Op>) {
        self.ops.push(op.into());
    }

    /// f32 in one row of `buf`.
    pub fn width(&self, buf: Buf) -> usize {
        self.bufs[buf.0].width
    }

    /// By [`Weight`]: whether some op multiplies by its rows or looks them up; every other one is read as dense f32.
    pub fn matrices(&self) -> Vec<bool> {
        let mut matrices = vec![false; self.weights.len()];
        for (weight, role) in self.ops.iter().flat_map(|op| op.uses().weights) {
            matrices[weight.0] |= role.is_packed();
        }
        matrices
    }

    /// A buffer's name and width, as a printed plan shows it.
    fn label(&self, buf: Buf) -> String {
        format!("{}[{}]", self.bufs[buf.0].name, self.width(buf))
    }

    /// A weight's tensor, as a printed plan shows it.
    fn tensor(&self, weight: Weight) -> String {
        self.weights[weight.0].to_string()
    }

    /// The KV caches.
    pub fn kv_caches(&self) -> impl Iterator<Item = Kv> {
        self.memories.iter().filter_map(|memory| match memory {
            Memory::Kv(kv) => Some(*kv),
            Memory::State { .. } => None,
        })
    }

    /// The rings that windows need in a context of `n_ctx`, as [`Kv::ring_len`] says.
    pub fn rings(&self, n_ctx: usize, n_batch: usize, block: usize) -> Vec<Ring> {
        let ring = |kv: Kv| Some(Ring { window: kv.window?, len: kv.ring_len(n_ctx, n_batch, block)? });
        self.kv_caches().filter_map(ring).collect()
    }

    /// Whether there is a memory that can be copied, but not cut.
    pub fn has_state(&self) -> bool {
        self.memories.iter().any(|memory| matches!(memory, Memory::State { .. }))
    }
}

/// Where `item` is in `items`; it is appended if it was not there.
fn index_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}

/// The tensor's name; of a part, also which rows.
impl fmt::Display for WeightInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tensor)?;
        if self.first_row == 0 { Ok(()) } else { write!(f, "[{}..]", self.first_row) }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops.iter().try_for_each(|op| writeln!(f, "{}", op.line(self)))
    }
}
