//! Neighbouring ops that one kernel can do: a pass over the plan, before any kernel is chosen.
//!
//! ```text
//! norm, matmuls of its result [, gated activation]     →  Project
//! matmul, add its result                               →  Project that adds
//! norm, add its result                                 →  Norm that adds
//! [norms of q and k,] rotations of q and k, store      →  Heads
//! ```
//!
//! It also says what lies beside what: weights that are read together become one matrix, and queries, keys and values one
//! buffer. An op is only fused away if nobody reads its result later.

mod describe;
mod slots;

pub use slots::{Physical, Slot};

use super::layout::{ROWS_STEP, layout};
use crate::plan::{Activation, Buf, Mem, Op, Plan, Rope, Weight};
use crate::quant::Codec;
use slots::Slots;

/// A fused plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// The buffers that there are.
    pub bufs: Vec<Physical>,
    /// Where each [`Buf`] of the plan is.
    pub slots: Vec<Slot>,
    /// The matrices that there are.
    pub matrices: Vec<Matrix>,
    /// Where each [`Weight`] of the plan is, if it is read as a matrix.
    pub places: Vec<Option<Place>>,
    /// The kinds of rotation.
    pub angles: Vec<Angles>,
}

/// Weights of one type and width, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// In the order of their rows.
    pub weights: Vec<Weight>,
    /// Type of all of them.
    pub codec: Codec,
    /// Of all of them together.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

/// Where the rows of a weight are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// An index into [`Fused::matrices`].
    pub matrix: usize,
    /// Of the weight's own.
    pub first_row: usize,
}

/// A kind of rotation: its cosines and sines are a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Angles {
    /// Constants.
    pub rope: Rope,
    /// Divisors of the frequencies.
    pub factors: Option<Weight>,
}

/// One step: mostly one dispatch for one token.
#[expect(missing_docs, reason = "the fields are those of the plan's ops")]
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// As [`Op::Embed`].
    Embed { weight: Weight, scale: f32, dst: Buf },
    /// As [`Op::RmsNorm`]; the result is added to dst if `add`.
    Norm { x: Buf, weight: Weight, eps: f32, dst: Buf, add: bool },
    /// Matmuls of the same input.
    Project(Project),
    /// As [`Op::Rope`]; `angles` is an index into [`Fused::angles`].
    Rope { x: Buf, head_dim: usize, angles: usize },
    /// As [`Op::Store`].
    Store { k: Buf, v: Buf, cache: Mem },
    /// Rotation of q and k, and store.
    Heads { q: Buf, k: Buf, v: Buf, norms: Option<HeadNorms>, angles: usize, cache: Mem },
    /// As [`Op::Attention`].
    Attention { q: Buf, cache: Mem, n_head: usize, scale: f32, window: Option<usize>, dst: Buf },
    /// As [`Op::Add`].
    Add { x: Buf, dst: Buf },
    /// As [`Op::Glu`].
    Glu { gate: Buf, up: Buf, activation: Activation },
    /// As [`Op::TakeOutputs`].
    TakeOutputs { x: Buf, dst: Buf },
}

/// Norms of every head of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadNorms {
    /// Gains of queries.
    pub q: Weight,
    /// Gains of keys.
    pub k: Weight,
    /// Of both.
    pub eps: f32,
}

/// Matmuls of the same input.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// What is multiplied, or what the norm takes.
    pub x: Buf,
    /// Only the rows of x whose logits are wanted.
    pub takes_outputs: bool,
    /// The norm before.
    pub norm: Option<Norm>,
    /// At least one.
    pub products: Vec<Product>,
    /// There are two products, gate and up: dst of the first becomes activation(gate) · up.
    pub activation: Option<Activation>,
}

/// A norm whose result only matmuls read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// Gains.
    pub weight: Weight,
    /// Added to the mean square.
    pub eps: f32,
    /// Where its result goes, where it has to go somewhere.
    pub dst: Buf,
}

/// One matmul.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// The matrix.
    pub weight: Weight,
    /// Added to the result.
    pub bias: Option<Weight>,
    /// Where the result goes.
    pub dst: Buf,
    /// The result is added to what is there.
    pub add: bool,
}

/// Fuses a plan whose weights are of these types. No buffer of weights is to be longer than `plane_bytes_max`, where that
/// can be had.
pub fn fuse(plan: &Plan, codecs: &[Codec], plane_bytes_max: usize) -> Fused {
    let mut angles: Vec<Angles> = Vec::new();
    let slots = Slots::new(plan);
    let mut steps = Vec::new();
    let mut rest = &plan.ops[..];
    while !rest.is_empty() {
        let ops = Ops { plan, codecs, plane_bytes_max, rest };
        let mut angles_of = |rope: Rope, factors: Option<Weight>| {
            let known = angles.iter().position(|a| a.rope == rope && a.factors == factors);
            known.unwrap_or_else(|| {
                angles.push(Angles { rope, factors });
                angles.len() - 1
            })
        };
        let (step, n_ops) = ops
            .project()
            .or_else(|| ops.norm_and_add())
            .or_else(|| ops.heads(&slots, &mut angles_of))
            .unwrap_or_else(|| (ops.single(&mut angles_of), 1));
        steps.push(step);
        rest = &rest[n_ops..];
    }
    let (matrices, places) = matrices(plan, codecs, &steps, &slots, plane_bytes_max);
    Fused { steps, bufs: slots.bufs, slots: slots.slots, matrices, places, angles }
}

/// What is left of a plan.
struct Ops<'a> {
    plan: &'a Plan,
    codecs: &'a [Codec],
    plane_bytes_max: usize,
    rest: &'a [Op],
}

impl Ops<'_> {
    /// Whether nobody reads what `buf` holds after the first `n` ops.
    fn is_dead_after(&self, n: usize, buf: Buf) -> bool {
        let next = self.rest[n..].iter().find(|op| reads(op).contains(&buf) || writes(op) == Some(buf));
        match next {
            Some(op) => !reads(op).contains(&buf),
            None => self.plan.logits != Some(buf),
        }
    }

    fn project(&self) -> Option<(Step, usize)> {
        let mut n = 0;
        let taken = match self.rest {
            [Op::TakeOutputs { x, dst }, Op::RmsNorm { x: normed, .. }, ..] if dst == normed => Some((*x, *dst)),
            _ => None,
        };
        n += usize::from(taken.is_some());
        let norm = match self.rest[n..] {
            [Op::RmsNorm { x, weight, eps, dst }, ..] if x != dst && self.is_whole(x, weight) => {
                Some((x, Norm { weight, eps, dst }))
            }
            _ => None,
        };
        n += usize::from(norm.is_some());
        let Some(Op::MatMul { x: input, .. }) = self.rest.get(n) else { return None };
        let x = match (taken, norm) {
            (Some((x, last)), Some((_, norm))) if self.is_dead_after(n, last) && norm.dst == *input => x,
            (Some(_), _) => return None,
            (None, Some((x, norm))) if norm.dst == *input => x,
            (None, Some(_)) => return None,
            (None, None) => *input,
        };
        let products: Vec<Product> = self.rest[n..].iter().map_while(|op| product(op, *input)).collect();
        n += products.len();
        let is_apart = products.iter().all(|p| p.dst != x && p.dst != *input);
        if !is_apart || (norm.is_some() && !self.is_dead_after(n, *input)) {
            return None;
        }
        let project =
            Project { x, takes_outputs: taken.is_some(), norm: norm.map(|(_, norm)| norm), products, activation: None };
        Some(self.with_glu(&project, n).or_else(|| self.with_add(&project, n)).unwrap_or((project, n)))
            .map(|(project, n)| (Step::Project(project), n))
    }

    /// Whether a norm's groups are whole rows.
    fn is_whole(&self, x: Buf, weight: Weight) -> bool {
        self.plan.weights[weight.0].cols == self.plan.width(x)
    }

    fn with_glu(&self, project: &Project, n: usize) -> Option<(Project, usize)> {
        let [gate, up] = project.products[..] else { return None };
        match self.rest.get(n) {
            Some(Op::Glu { gate: g, up: u, activation })
                if *g == gate.dst
                    && *u == up.dst
                    && self.is_dead_after(n + 1, up.dst)
                    && can_join(self.plan, self.codecs, &[gate, up], self.plane_bytes_max) =>
            {
                Some((Project { activation: Some(*activation), ..project.clone() }, n + 1))
            }
            _ => None,
        }
    }

    fn with_add(&self, project: &Project, n: usize) -> Option<(Project, usize)> {
        let [product] = project.products[..] else { return None };
        match self.rest.get(n) {
            Some(Op::Add { x, dst })
                if *x == product.dst && *dst != project.x && self.is_dead_after(n + 1, product.dst) =>
            {
                let product = Product { dst: *dst, add: true, ..product };
                Some((Project { products: vec![product], ..project.clone() }, n + 1))
            }
            _ => None,
        }
    }

    fn norm_and_add(&self) -> Option<(Step, usize)> {
        match *self.rest {
            [Op::RmsNorm { x, weight, eps, dst: normed }, Op::Add { x: added, dst }, ..]
                if normed == added && x != normed && x != dst && self.is_dead_after(2, normed) =>
            {
                Some((Step::Norm { x, weight, eps, dst, add: true }, 2))
            }
            _ => None,
        }
    }

    fn heads(&self, slots: &Slots, angles_of: &mut impl FnMut(Rope, Option<Weight>) -> usize) -> Option<(Step, usize)> {
        let heads = heads_of(self.plan, self.rest)?;
        let HeadsOps { q, k, v, norms, rope, factors, cache, n_ops } = heads;
        let is_one = [k, v].iter().all(|buf| slots.slots[buf.0].buf == slots.slots[q.0].buf);
        (is_one && self.is_dead_after(n_ops, k) && self.is_dead_after(n_ops, v))
            .then(|| (Step::Heads { q, k, v, norms, angles: angles_of(rope, factors), cache }, n_ops))
    }

    /// The first op as it is.
    fn single(&self, angles_of: &mut impl FnMut(Rope, Option<Weight>) -> usize) -> Step {
        match self.rest[0] {
            Op::Embed { weight, scale, dst } => Step::Embed { weight, scale, dst },
            Op::RmsNorm { x, weight, eps, dst } => Step::Norm { x, weight, eps, dst, add: false },
            Op::MatMul { x, weight, bias, dst } => Step::Project(Project {
                x,
                takes_outputs: false,
                norm: None,
                products: vec![Product { weight, bias, dst, add: false }],
                activation: None,
            }),
            Op::Rope { x, head_dim, factors, rope } => Step::Rope { x, head_dim, angles: angles_of(rope, factors) },
            Op::Store { k, v, cache } => Step::Store { k, v, cache },
            Op::Attention { q, cache, n_head, scale, window, dst } => {
                Step::Attention { q, cache, n_head, scale, window, dst }
            }
            Op::Add { x, dst } => Step::Add { x, dst },
            Op::Glu { gate, up, activation } => Step::Glu { gate, up, activation },
            Op::TakeOutputs { x, dst } => Step::TakeOutputs { x, dst },
        }
    }
}

fn product(op: &Op, input: Buf) -> Option<Product> {
    let Op::MatMul { x, weight, bias, dst } = *op else { return None };
    (x == input).then_some(Product { weight, bias, dst, add: false })
}

/// The ops between the matmuls of a layer's heads and its attention.
struct HeadsOps {
    q: Buf,
    k: Buf,
    v: Buf,
    norms: Option<HeadNorms>,
    rope: Rope,
    factors: Option<Weight>,
    cache: Mem,
    n_ops: usize,
}

/// The beginning of `ops`, if it is norms of q and k, or none, rotations of both alike, and their store.
fn heads_of(plan: &Plan, ops: &[Op]) -> Option<HeadsOps> {
    let (normed, ops) = match *ops {
        [Op::RmsNorm { x: q, weight: wq, eps, dst: dq }, Op::RmsNorm { x: k, weight: wk, eps: eps_k, dst: dk }, ..]
            if q == dq && k == dk && eps == eps_k =>
        {
            (Some((q, k, HeadNorms { q: wq, k: wk, eps })), &ops[2..])
        }
        _ => (None, ops),
    };
    let [
        Op::Rope { x: q, head_dim, factors, rope },
        Op::Rope { x: k, head_dim: head_dim_k, factors: factors_k, rope: rope_k },
        Op::Store { k: stored, v, cache },
        ..,
    ] = *ops
    else {
        return None;
    };
    let is_alike = (head_dim, factors, rope) == (head_dim_k, factors_k, rope_k) && k == stored && q != k && k != v;
    let is_cached = head_dim == plan.kv(cache).k_dim;
    let is_normed = normed.is_none_or(|(nq, nk, norms)| {
        nq == q && nk == k && [norms.q, norms.k].iter().all(|w| plan.weights[w.0].cols == head_dim)
    });
    (is_alike && is_cached && is_normed).then(|| HeadsOps {
        q,
        k,
        v,
        norms: normed.map(|(_, _, norms)| norms),
        rope,
        factors,
        cache,
        n_ops: 3 + if normed.is_some() { 2 } else { 0 },
    })
}

/// The buffers whose contents an op needs.
fn reads(op: &Op) -> Vec<Buf> {
    match *op {
        Op::Embed { .. } => vec![],
        Op::RmsNorm { x, .. } | Op::MatMul { x, .. } | Op::Rope { x, .. } | Op::TakeOutputs { x, .. } => vec![x],
        Op::Store { k, v, .. } => vec![k, v],
        Op::Attention { q, .. } => vec![q],
        Op::Add { x, dst } => vec![x, dst],
        Op::Glu { gate, up, .. } => vec![gate, up],
    }
}

/// The buffer that an op fills.
fn writes(op: &Op) -> Option<Buf> {
    match *op {
        Op::Embed { dst, .. }
        | Op::RmsNorm { dst, .. }
        | Op::MatMul { dst, .. }
        | Op::Attention { dst, .. }
        | Op::Add { dst, .. }
        | Op::TakeOutputs { dst, .. } => Some(dst),
        Op::Rope { x, .. } => Some(x),
        Op::Glu { gate, .. } => Some(gate),
        Op::Store { .. } => None,
    }
}

/// Whether the weights of these products can be one matrix.
fn can_join(plan: &Plan, codecs: &[Codec], products: &[Product], plane_bytes_max: usize) -> bool {
    let rows = |p: &Product| plan.weights[p.weight.0].rows;
    let cols = plan.weights[products[0].weight.0].cols;
    let codec = codecs[products[0].weight.0];
    let plane_bytes = layout(codec.format()).longest_plane_bytes(products.iter().map(rows).sum(), cols);
    let is_small = plane_bytes <= plane_bytes_max as u64;
    let is_apart = products.iter().enumerate().all(|(i, p)| products[..i].iter().all(|q| q.weight != p.weight));
    let is_plain = products.iter().all(|p| p.bias.is_none() && !p.add && codecs[p.weight.0] == codec);
    let is_even = products[..products.len() - 1].iter().all(|p| rows(p).is_multiple_of(ROWS_STEP));
    products.len() > 1 && is_small && is_apart && is_plain && is_even
}

/// Weights that are read together become one matrix; every other matrix is one of its own.
fn matrices(
    plan: &Plan,
    codecs: &[Codec],
    steps: &[Step],
    slots: &Slots,
    plane_bytes_max: usize,
) -> (Vec<Matrix>, Vec<Option<Place>>) {
    let mut matrices: Vec<Matrix> = Vec::new();
    let mut places: Vec<Option<Place>> = vec![None; plan.weights.len()];
    let mut join = |weights: &[Weight]| {
        if weights.iter().any(|w| places[w.0].is_some()) {
            return;
        }
        let mut rows = 0;
        for weight in weights {
            places[weight.0] = Some(Place { matrix: matrices.len(), first_row: rows });
            rows += plan.weights[weight.0].rows;
        }
        let (codec, cols) = (codecs[weights[0].0], plan.weights[weights[0].0].cols);
        matrices.push(Matrix { weights: weights.to_vec(), codec, rows, cols });
    };
    for step in steps {
        if let Step::Project(project) = step {
            for products in joined(plan, codecs, project, slots, plane_bytes_max) {
                join(&products.iter().map(|p| p.weight).collect::<Vec<_>>());
            }
        }
    }
    let alone = plan.matrices();
    (0..alone.len()).filter(|i| alone[*i]).for_each(|i| join(&[Weight(i)]));
    (matrices, places)
}

/// The products of a projection, divided into runs whose weights are to be one matrix.
fn joined<'a>(
    plan: &Plan,
    codecs: &[Codec],
    project: &'a Project,
    slots: &Slots,
    plane_bytes_max: usize,
) -> Vec<&'a [Product]> {
    if project.activation.is_some() {
        return vec![&project.products];
    }
    let mut runs: Vec<&[Product]> = Vec::new();
    let mut start = 0;
    for end in 1..=project.products.len() {
        let run = &project.products[start..=end.min(project.products.len() - 1)];
        let goes_on = end < project.products.len()
            && slots.follows(plan, run[run.len() - 2].dst, run[run.len() - 1].dst)
            && can_join(plan, codecs, run, plane_bytes_max);
        if !goes_on {
            runs.push(&project.products[start..end]);
            start = end;
        }
    }
    runs
}
