//! A [`Plan`] says what to compute for a batch of tokens, not where or how.
//!
//! A model writes it once, when it is loaded; a backend runs it for every batch. Buffers hold one row per token of the
//! batch, or one row per wanted logit row after [`Op::TakeOutputs`]. A plan can be printed: `to_string` is one line an op.

mod batch;
mod history;
mod memory;
pub mod snapshot;

pub use batch::{Batch, Outputs};
pub use history::{CHECKPOINTS_MAX, History, Rewind, Ring};
pub use memory::{Kv, Mem, Memory};
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

/// How rotary embedding pairs the elements of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Neighbours: (0, 1), (2, 3), …
    Neighbours,
    /// Halves: (0, n/2), (1, n/2 + 1), …
    Halves,
}

/// Rotary position embedding, with YaRN's correction. <https://arxiv.org/abs/2104.09864>, <https://arxiv.org/abs/2309.00071>
///
/// The angle of pair `i` at position `pos` is `pos · base^(−2i/n_rot) / factor[i]`, scaled by `freq_scale` where the
/// ramp says interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// Which elements form a pair.
    pub pairs: RopePairs,
    /// Elements that rotate, from the start of the head.
    pub n_rot: usize,
    /// Base of the frequencies.
    pub freq_base: f32,
    /// 1 / context extension factor.
    pub freq_scale: f32,
    /// How far to mix extrapolation in: 0 is linear scaling, 1 is YaRN.
    pub ext_factor: f32,
    /// Cosine and sine are multiplied by this.
    pub attn_factor: f32,
    /// YaRN's ramp, fast end.
    pub beta_fast: f32,
    /// YaRN's ramp, slow end.
    pub beta_slow: f32,
    /// Context the model was trained with before extension.
    pub n_ctx_orig: usize,
}

/// The nonlinearity of a gated feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// The tanh approximation of GELU. <https://arxiv.org/abs/1606.08415>
    Gelu,
}

/// One step. Shapes: n = tokens of the batch (or outputs).
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// `dst[t] = weight[token[t]] · scale`.
    Embed {
        /// `[n_vocab, n_embd]`.
        weight: Weight,
        /// Multiplies every element.
        scale: f32,
        /// `[n, n_embd]`.
        dst: Buf,
    },
    /// dst = x / rms(x) · weight, over groups of `weight.cols` elements. <https://arxiv.org/abs/1910.07467>
    RmsNorm {
        /// `[n, k · cols]`.
        x: Buf,
        /// `[cols]`.
        weight: Weight,
        /// Added to the mean square.
        eps: f32,
        /// As x; may be x itself.
        dst: Buf,
    },
    /// `dst[t] = weight · x[t] + bias`.
    MatMul {
        /// `[n, cols]`.
        x: Buf,
        /// `[rows, cols]`.
        weight: Weight,
        /// `[rows]`.
        bias: Option<Weight>,
        /// `[n, rows]`.
        dst: Buf,
    },
    /// Rotates every head of x by its token's position, in place.
    Rope {
        /// `[n, k · head_dim]`.
        x: Buf,
        /// Elements of one head.
        head_dim: usize,
        /// `[n_rot / 2]` divisors of the frequencies.
        factors: Option<Weight>,
        /// Frequencies and pairing.
        rope: Rope,
    },
    /// `cache[pos[t]] = (k[t], v[t])`.
    Store {
        /// `[n, n_head_kv · head_dim]`.
        k: Buf,
        /// As k.
        v: Buf,
        /// Where.
        cache: Mem,
    },
    /// `dst[t, h] = softmax(scale · q[t, h] · keys) · values` over cached positions ≤ `pos[t]` (and > `pos[t] − window`).
    Attention {
        /// `[n, n_head · head_dim]`.
        q: Buf,
        /// Keys and values; query head h uses head h · n_head_kv / n_head.
        cache: Mem,
        /// Heads of queries.
        n_head: usize,
        /// Multiplies the scores.
        scale: f32,
        /// Positions a query sees, itself included; all if none.
        window: Option<usize>,
        /// As q.
        dst: Buf,
    },
    /// dst += x.
    Add {
        /// As dst.
        x: Buf,
        /// Changed in place.
        dst: Buf,
    },
    /// gate = activation(gate) · up, in place.
    Glu {
        /// Changed in place.
        gate: Buf,
        /// As gate.
        up: Buf,
        /// The nonlinearity.
        activation: Activation,
    },
    /// dst = the rows of x whose logits are wanted.
    TakeOutputs {
        /// `[n_tokens, width]`.
        x: Buf,
        /// `[n_outputs, width]`.
        dst: Buf,
    },
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
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// f32 in one row of `buf`.
    pub fn width(&self, buf: Buf) -> usize {
        self.bufs[buf.0].width
    }

    /// By [`Weight`]: whether it is read as a matrix (the others are vectors, of one row).
    pub fn matrices(&self) -> Vec<bool> {
        let mut matrices = vec![false; self.weights.len()];
        for op in &self.ops {
            if let Op::Embed { weight, .. } | Op::MatMul { weight, .. } = op {
                matrices[weight.0] = true;
            }
        }
        matrices
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
        self.ops.iter().try_for_each(|op| {
            self.write_op(f, op)?;
            f.write_str("\n")
        })
    }
}

impl Plan {
    /// One line: what is written, the op, what is read, the constants.
    fn write_op(&self, f: &mut fmt::Formatter<'_>, op: &Op) -> fmt::Result {
        let buf = |b: Buf| format!("{}[{}]", self.bufs[b.0].name, self.bufs[b.0].width);
        let weight = |w: Weight| self.weights[w.0].to_string();
        match op {
            Op::Embed { weight: w, scale, dst } => write!(f, "{} = embed {} scale {scale}", buf(*dst), weight(*w)),
            Op::RmsNorm { x, weight: w, eps, dst } => {
                write!(f, "{} = rms_norm {} {} eps {eps}", buf(*dst), buf(*x), weight(*w))
            }
            Op::MatMul { x, weight: w, bias, dst } => {
                write!(f, "{} = matmul {} {}", buf(*dst), weight(*w), buf(*x))?;
                bias.map_or(Ok(()), |b| write!(f, " bias {}", weight(b)))
            }
            Op::Rope { x, head_dim, factors, rope } => {
                write!(
                    f,
                    "{} = rope head {head_dim} {:?} {} base {}",
                    buf(*x),
                    rope.pairs,
                    rope.n_rot,
                    rope.freq_base
                )?;
                write!(f, " scale {} ext {}", rope.freq_scale, rope.ext_factor)?;
                factors.map_or(Ok(()), |w| write!(f, " factors {}", weight(w)))
            }
            Op::Store { k, v, cache } => write!(f, "cache{} = store {} {}", cache.0, buf(*k), buf(*v)),
            Op::Attention { q, cache, n_head, scale, window, dst } => {
                write!(f, "{} = attention {} cache{} heads {n_head} scale {scale}", buf(*dst), buf(*q), cache.0)?;
                window.map_or(Ok(()), |w| write!(f, " window {w}"))
            }
            Op::Add { x, dst } => write!(f, "{} += {}", buf(*dst), buf(*x)),
            Op::Glu { gate, up, activation } => write!(f, "{} = {activation:?} · {}", buf(*gate), buf(*up)),
            Op::TakeOutputs { x, dst } => write!(f, "{} = take_outputs {}", buf(*dst), buf(*x)),
        }
    }
}
