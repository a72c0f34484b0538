//! Steps become kernels: which shader, made of which fragments, with which buffers and constants, how many workgroups.
//!
//! It is all data: nothing here touches a device, so every shader of a model can be written to files and looked at.

mod add;
mod attention;
mod conv;
mod embed;
mod glu;
mod mul;
mod project;
mod qk_norm_rope_store;
mod rms_norm;
mod rope;
mod sample;
mod source;
mod store;
mod take_outputs;

pub use sample::sample;
pub use source::{compose, compose_for_browsers};

use super::buffers::{Binding, BufferId, TILE, eights, ring_len};
use super::fuse::{Angles, Fused, FusedMatMul, Slot, Step, fuse};
use super::layout::{layout, split};
use super::tier::Tier;
use crate::plan::{Buf, Kv, Mem, Op, Plan, RopeParams, Rows, Weight};
use crate::quant::Codec;
use std::ops::Range;

/// Invocations of most workgroups.
const WORKGROUP: usize = 64;
/// A grid's width.
const GRID_MAX: usize = 65_535;

/// A kernel, ready to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// The shader's file.
    pub name: &'static str,
    /// Its fragments.
    pub source: Vec<&'static str>,
    /// By the shader's binding numbers.
    pub bindings: Vec<(u32, Binding)>,
    /// Values of its overrides.
    pub constants: Vec<(&'static str, f64)>,
    /// How many workgroups.
    pub grid: Grid,
    /// Whether it runs.
    pub when: When,
}

/// How many workgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// So many in all.
    Groups(usize),
    /// So many for every row.
    Rows(usize, Rows),
    /// So many for every 32 rows.
    Tiles(usize, Rows),
    /// So many for every four queries; there are so many queries a token.
    Queries(usize, usize),
    /// So many for every part of the positions that one token sees.
    Parts(usize, Parts),
}

/// How attention to one token is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Positions of a part.
    pub len: usize,
    /// Positions that a query sees.
    pub window: Option<usize>,
}

/// For which batches a kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// For all.
    Always,
    /// Where the logits of one token are wanted.
    OneOutput,
    /// Where the logits of several are.
    ManyOutputs,
    /// Where the next token is drawn, and penalties change the logits.
    Penalties,
    /// Where it is drawn from a few candidates.
    FromFew,
    /// Where it is drawn from the whole vocabulary.
    FromAll,
}

/// The size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Position of its first token.
    pub start: usize,
    /// Tokens.
    pub n_tokens: usize,
    /// Tokens whose logits are wanted.
    pub n_outputs: usize,
    /// How the next token is drawn, if it is.
    pub draw: Draw,
}

/// What a draw needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Draw {
    /// Whether penalties change the logits before.
    pub has_penalties: bool,
    /// Whether more than [`CANDIDATES`](super::buffers::CANDIDATES) tokens may be left by the filters.
    pub is_from_all: bool,
}

impl Size {
    /// Rows of a buffer.
    pub fn rows(&self, rows: Rows) -> usize {
        match rows {
            Rows::Tokens => self.n_tokens,
            Rows::Outputs => self.n_outputs,
        }
    }
}

impl Grid {
    /// Workgroups in each direction.
    pub fn workgroups(&self, size: &Size) -> [usize; 2] {
        match *self {
            Self::Groups(n) => [n.min(GRID_MAX), n.div_ceil(GRID_MAX)],
            Self::Rows(n, rows) => [n, size.rows(rows)],
            Self::Tiles(n, rows) => [n, size.rows(rows).div_ceil(TILE)],
            Self::Queries(n, per_token) => [n, (size.n_tokens * per_token).div_ceil(attention::QUERIES)],
            Self::Parts(n, Parts { len, window }) => {
                let end = size.start + 1;
                let first = end - window.unwrap_or(end).min(end);
                [n, end.div_ceil(len) - first / len]
            }
        }
    }
}

impl When {
    /// Whether a batch of this size is meant.
    pub fn includes(self, size: &Size) -> bool {
        match self {
            Self::Always => true,
            Self::OneOutput => size.n_outputs == 1,
            Self::ManyOutputs => size.n_outputs > 1,
            Self::Penalties => size.draw.has_penalties,
            Self::FromFew => !size.draw.is_from_all,
            Self::FromAll => size.draw.is_from_all,
        }
    }
}

/// What kernels are made for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The same, fused.
    pub fused: &'a Fused,
    /// Rows of each part of each matrix.
    pub parts: &'a [Vec<Range<usize>>],
    /// What the device can do.
    pub tier: Tier,
    /// Positions that the cache has room for.
    pub capacity: usize,
    /// Positions that it may have room for one day.
    pub n_ctx: usize,
}

/// The kernels for one token.
pub fn decode(target: &Target<'_>) -> Vec<Kernel> {
    target.fused.steps.iter().flat_map(|step| target.kernels(step, Tokens::One)).collect()
}

/// The kernels for many tokens.
pub fn prefill(target: &Target<'_>) -> Vec<Kernel> {
    target.fused.steps.iter().flat_map(|step| target.kernels(step, Tokens::Many)).collect()
}

/// Every kernel that a model has on a device of this tier, those for one token first; kernels that differ only in their
/// buffers are one.
pub fn all(plan: &Plan, codecs: &[Codec], tier: Tier, capacity: usize) -> Vec<Kernel> {
    let fused = fuse(plan, codecs, BINDING_BYTES_MIN);
    let matrices = fused.matrices.iter();
    let parts: Vec<_> = matrices.map(|m| split(layout(m.codec.format()), m.rows, m.cols, BINDING_BYTES_MIN)).collect();
    let target = Target { plan, fused: &fused, parts: &parts, tier, capacity, n_ctx: capacity };
    let mut kernels: Vec<Kernel> = Vec::new();
    for kernel in decode(&target).into_iter().chain(prefill(&target)).chain(sample(&target)) {
        if !kernels.iter().any(|known| known.source == kernel.source && known.constants == kernel.constants) {
            kernels.push(kernel);
        }
    }
    kernels
}

/// WebGPU promises this many bytes for a binding on every device.
const BINDING_BYTES_MIN: usize = 128 << 20;

/// How many tokens kernels are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tokens {
    One,
    Many,
}

impl Target<'_> {
    fn kernels(&self, step: &Step, tokens: Tokens) -> Vec<Kernel> {
        match step {
            Step::Op(op) => self.op(op, tokens),
            Step::FusedMatMul(matmul) => self.project(matmul, tokens),
            Step::QkNormRopeStore(heads) => vec![self.qk_norm_rope_store(heads)],
            Step::NormAdd(norm) => vec![self.norm(norm, true)],
        }
    }

    fn op(&self, op: &Op, tokens: Tokens) -> Vec<Kernel> {
        match op {
            Op::Embed(op) => self.embed(op),
            Op::RmsNorm(op) => vec![self.norm(op, false)],
            Op::MatMul(op) => self.project(&FusedMatMul::from(*op), tokens),
            Op::Rope(op) => vec![self.rope(op)],
            Op::Store(op) => vec![self.store(op)],
            Op::Attention(op) => self.attention(op, tokens),
            Op::Conv(op) => self.conv(op, tokens),
            Op::Add(op) => vec![self.add(op)],
            Op::Mul(op) => vec![self.mul(op)],
            Op::Glu(op) => vec![self.glu(op)],
            Op::TakeOutputs(op) => vec![self.take_outputs(op)],
        }
    }

    /// The index of a table of cosines and sines.
    fn angles(&self, rope: RopeParams, factors: Option<Weight>) -> usize {
        let kinds = &self.fused.angles;
        kinds.iter().position(|kind| *kind == Angles { rope, factors }).expect("every rotation of the plan has a table")
    }

    fn slot(&self, buf: Buf) -> Slot {
        self.fused.slots[buf.0]
    }

    /// f32 from one row to the next.
    fn stride(&self, buf: Buf) -> usize {
        self.fused.bufs[self.slot(buf).buf].stride
    }

    fn rows(&self, buf: Buf) -> Rows {
        self.fused.bufs[self.slot(buf).buf].rows
    }

    fn read(&self, buf: Buf) -> Binding {
        BufferId::Activations(self.slot(buf).buf).read()
    }

    fn write(&self, buf: Buf) -> Binding {
        BufferId::Activations(self.slot(buf).buf).write()
    }

    /// Where a buffer is, under the names that shaders use.
    fn at(&self, names: [&'static str; 2], buf: Buf) -> [(&'static str, f64); 2] {
        [(names[0], number(self.slot(buf).offset)), (names[1], number(self.stride(buf)))]
    }

    /// A KV cache, and the fragments and constants by which kernels find their way in it.
    fn cache(&self, cache: Mem) -> (Kv, Vec<&'static str>, Vec<(&'static str, f64)>) {
        let info = self.plan.kv(cache);
        let mut constants = vec![
            ("N_HEAD_KV", number(info.n_head_kv)),
            ("HEAD_DIM", number(info.k_dim)),
            ("HEAD_DIM8", number(eights(info.k_dim))),
        ];
        let ring = ring_len(&info, self.n_ctx);
        constants.extend(ring.map(|len| ("RING", number(len))));
        let slots = if ring.is_some() { source::RING } else { source::WHOLE_CONTEXT };
        (info, vec![source::STATE, source::CACHE, slots], constants)
    }

    fn elementwise(&self, name: &'static str, source: Vec<&'static str>, x: Buf, dst: Buf) -> Kernel {
        let width = self.plan.width(dst);
        Kernel {
            name,
            source,
            bindings: vec![(1, self.read(x)), (2, self.write(dst))],
            constants: [
                vec![("COLS", number(width))],
                self.at(["X", "X_STRIDE"], x).to_vec(),
                self.at(["DST", "STRIDE"], dst).to_vec(),
            ]
            .concat(),
            grid: Grid::Rows(width.div_ceil(WORKGROUP), self.rows(dst)),
            when: When::Always,
        }
    }
}

fn with_state(mut bindings: Vec<(u32, Binding)>) -> Vec<(u32, Binding)> {
    bindings.push((0, BufferId::BatchState.read()));
    bindings
}

/// An override's value.
fn number(n: usize) -> f64 {
    narrow(n).into()
}

/// What is a number of the device's own.
pub(super) fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sizes on the GPU are u32")
}
