//! Neighbouring ops that one kernel can do: a pass over the plan, before any kernel is chosen.
//!
//! ```text
//! norm, matmuls of its result [, gated activation]     →  FusedMatMul
//! matmul, add its result                               →  FusedMatMul that adds
//! norm, add its result                                 →  NormAdd
//! [norms of q and k,] rotations of q and k, store      →  QkNormRopeStore
//! ```
//!
//! It also says what lies beside what: weights that are read together become one matrix, and queries, keys and values, or products
//! of neighbouring rows of one tensor, one buffer. An op is only fused away if nobody reads its result later.

mod describe;
mod slots;

pub use slots::{Physical, Slot};

use super::layout::{ROWS_STEP, layout};
use crate::plan::op::{Add, MatMul, RmsNorm, Rope, Store};
use crate::plan::{Activation, Buf, Mem, Op, Plan, RopeParams, Weight};
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
    pub rope: RopeParams,
    /// Divisors of the frequencies.
    pub factors: Option<Weight>,
}

/// One step: mostly one dispatch for one token.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// An op of the plan as it is.
    Op(Op),
    /// Matmuls of the same input.
    FusedMatMul(FusedMatMul),
    /// Norms, rotations and store of queries and keys.
    QkNormRopeStore(QkNormRopeStore),
    /// A norm whose result is added to `dst`.
    NormAdd(RmsNorm),
}

/// Norm and rotation of every head of queries and keys, and store of keys and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QkNormRopeStore {
    /// `[n, n_head · head_dim]`, changed in place.
    pub q: Buf,
    /// `[n, n_head_kv · head_dim]`.
    pub k: Buf,
    /// As k.
    pub v: Buf,
    /// Norms before the rotation.
    pub norms: Option<HeadNorms>,
    /// Frequencies and pairing.
    pub rope: RopeParams,
    /// `[n_rot / 2]` divisors of the frequencies.
    pub factors: Option<Weight>,
    /// Where keys and values go.
    pub cache: Mem,
}

/// Norms of every head of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadNorms {
    /// Gains of queries.
    pub q: Weight,
    /// Gains of keys.
    pub k: Weight,
    /// Added to the mean square of either.
    pub eps: f32,
}

/// Matmuls of the same input.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedMatMul {
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

impl From<MatMul> for FusedMatMul {
    fn from(op: MatMul) -> Self {
        let MatMul { x, weight, bias, scale, dst } = op;
        let products = vec![Product { weight, bias, scale, dst, add: false }];
        Self { x, takes_outputs: false, norm: None, products, activation: None }
    }
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
    /// Multiplies the result, with its bias.
    pub scale: f32,
    /// Where the result goes.
    pub dst: Buf,
    /// The result is added to what is there.
    pub add: bool,
}

/// Fuses a plan whose weights are of these types. No buffer of weights is to be longer than `plane_bytes_max`, where that
/// can be had.
pub fn fuse(plan: &Plan, codecs: &[Codec], plane_bytes_max: usize) -> Fused {
    let slots = Slots::new(plan);
    let mut steps = Vec::new();
    let mut rest = &plan.ops[..];
    while !rest.is_empty() {
        let ops = Ops { plan, codecs, plane_bytes_max, rest };
        let (step, n_ops) = ops
            .fused_matmul()
            .or_else(|| ops.norm_add())
            .or_else(|| ops.qk_norm_rope_store(&slots))
            .unwrap_or_else(|| (Step::Op(rest[0].clone()), 1));
        steps.push(step);
        rest = &rest[n_ops..];
    }
    let (matrices, places) = matrices(plan, codecs, &steps, &slots, plane_bytes_max);
    Fused { steps, bufs: slots.bufs, slots: slots.slots, matrices, places, angles: angles(plan) }
}

/// The kinds of rotation that a plan has.
fn angles(plan: &Plan) -> Vec<Angles> {
    let mut angles: Vec<Angles> = Vec::new();
    for op in &plan.ops {
        if let Op::Rope(Rope { rope, factors, .. }) = *op
            && !angles.contains(&Angles { rope, factors })
        {
            angles.push(Angles { rope, factors });
        }
    }
    angles
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
        let uses = self.rest[n..].iter().map(Op::uses);
        match uses.into_iter().find(|uses| uses.reads.contains(&buf) || uses.writes.contains(&buf)) {
            Some(uses) => !uses.reads.contains(&buf),
            None => self.plan.logits != Some(buf),
        }
    }

    fn fused_matmul(&self) -> Option<(Step, usize)> {
        let mut n = 0;
        let taken = match *self.rest {
            [Op::TakeOutputs(take), Op::RmsNorm(norm), ..] if take.dst == norm.x => Some(take),
            _ => None,
        };
        n += usize::from(taken.is_some());
        let norm = match self.rest[n..] {
            [Op::RmsNorm(norm), ..] if norm.x != norm.dst && self.is_whole(&norm) => Some(norm),
            _ => None,
        };
        n += usize::from(norm.is_some());
        let Some(Op::MatMul(MatMul { x: input, .. })) = self.rest.get(n) else { return None };
        let x = match (taken, norm) {
            (Some(taken), Some(norm)) if self.is_dead_after(n, taken.dst) && norm.dst == *input => taken.x,
            (Some(_), _) => return None,
            (None, Some(norm)) if norm.dst == *input => norm.x,
            (None, Some(_)) => return None,
            (None, None) => *input,
        };
        let products: Vec<Product> = self.rest[n..].iter().map_while(|op| product(op, *input)).collect();
        n += products.len();
        let is_apart = products.iter().all(|p| p.dst != x && p.dst != *input);
        if !is_apart || (norm.is_some() && !self.is_dead_after(n, *input)) {
            return None;
        }
        let norm = norm.map(|RmsNorm { weight, eps, dst, .. }| Norm { weight, eps, dst });
        let matmul = FusedMatMul { x, takes_outputs: taken.is_some(), norm, products, activation: None };
        let (matmul, n) = self.with_glu(&matmul, n).or_else(|| self.with_add(&matmul, n)).unwrap_or((matmul, n));
        Some((Step::FusedMatMul(matmul), n))
    }

    /// Whether a norm's groups are whole rows.
    fn is_whole(&self, norm: &RmsNorm) -> bool {
        self.plan.weights[norm.weight.0].cols == self.plan.width(norm.x)
    }

    fn with_glu(&self, matmul: &FusedMatMul, n: usize) -> Option<(FusedMatMul, usize)> {
        let [gate, up] = matmul.products[..] else { return None };
        match self.rest.get(n) {
            Some(Op::Glu(glu))
                if (glu.gate, glu.up) == (gate.dst, up.dst)
                    && self.is_dead_after(n + 1, up.dst)
                    && can_join(self.plan, self.codecs, &[gate, up], self.plane_bytes_max) =>
            {
                Some((FusedMatMul { activation: Some(glu.activation), ..matmul.clone() }, n + 1))
            }
            _ => None,
        }
    }

    fn with_add(&self, matmul: &FusedMatMul, n: usize) -> Option<(FusedMatMul, usize)> {
        let [product] = matmul.products[..] else { return None };
        match self.rest.get(n) {
            Some(Op::Add(Add { x, dst }))
                if *x == product.dst && *dst != matmul.x && self.is_dead_after(n + 1, product.dst) =>
            {
                let product = Product { dst: *dst, add: true, ..product };
                Some((FusedMatMul { products: vec![product], ..matmul.clone() }, n + 1))
            }
            _ => None,
        }
    }

    fn norm_add(&self) -> Option<(Step, usize)> {
        match *self.rest {
            [Op::RmsNorm(norm), Op::Add(Add { x, dst }), ..]
                if norm.dst == x && norm.x != x && norm.x != dst && self.is_dead_after(2, x) =>
            {
                Some((Step::NormAdd(RmsNorm { dst, ..norm }), 2))
            }
            _ => None,
        }
    }

    fn qk_norm_rope_store(&self, slots: &Slots) -> Option<(Step, usize)> {
        let (heads, n_ops) = qk_norm_rope_store(self.plan, self.rest)?;
        let QkNormRopeStore { q, k, v, .. } = heads;
        let is_one = [k, v].iter().all(|buf| slots.slots[buf.0].buf == slots.slots[q.0].buf);
        (is_one && self.is_dead_after(n_ops, k) && self.is_dead_after(n_ops, v))
            .then_some((Step::QkNormRopeStore(heads), n_ops))
    }
}

fn product(op: &Op, input: Buf) -> Option<Product> {
    let Op::MatMul(MatMul { x, weight, bias, scale, dst }) = *op else { return None };
    (x == input).then_some(Product { weight, bias, scale, dst, add: false })
}

/// The beginning of `ops`, and how many they are, if it is norms of q and k, or none, rotations of both alike, and their
/// store: what stands between the matmuls of a layer's heads and its attention.
fn qk_norm_rope_store(plan: &Plan, ops: &[Op]) -> Option<(QkNormRopeStore, usize)> {
    let normed = match *ops {
        [Op::RmsNorm(q), Op::RmsNorm(k), ..] if q.x == q.dst && k.x == k.dst && q.eps == k.eps => Some([q, k]),
        _ => None,
    };
    let n_norms = if normed.is_some() { 2 } else { 0 };
    let [Op::Rope(q), Op::Rope(k), Op::Store(Store { k: stored, v, cache }), ..] = ops[n_norms..] else { return None };
    let is_alike = Rope { x: q.x, ..k } == q && k.x == stored && q.x != k.x && k.x != v;
    let is_cached = q.head_dim == plan.kv(cache).k_dim;
    let is_normed = normed.is_none_or(|norms| {
        let cols = norms.map(|norm| plan.weights[norm.weight.0].cols);
        norms.map(|norm| norm.x) == [q.x, k.x] && cols == [q.head_dim; 2]
    });
    let norms = normed.map(|[q, k]| HeadNorms { q: q.weight, k: k.weight, eps: q.eps });
    let heads = QkNormRopeStore { q: q.x, k: k.x, v, norms, rope: q.rope, factors: q.factors, cache };
    (is_alike && is_cached && is_normed).then_some((heads, n_norms + 3))
}

/// Whether a product's result is written as it is.
fn is_plain(product: &Product) -> bool {
    product.bias.is_none() && product.scale == 1.0 && !product.add
}

/// Whether the weights of these products can be one matrix.
fn can_join(plan: &Plan, codecs: &[Codec], products: &[Product], plane_bytes_max: usize) -> bool {
    let rows = |p: &Product| plan.weights[p.weight.0].rows;
    let cols = plan.weights[products[0].weight.0].cols;
    let codec = codecs[products[0].weight.0];
    let plane_bytes = layout(codec.format()).longest_plane_bytes(products.iter().map(rows).sum(), cols);
    let is_small = plane_bytes <= plane_bytes_max as u64;
    let is_apart = products.iter().enumerate().all(|(i, p)| products[..i].iter().all(|q| q.weight != p.weight));
    let is_plain = products.iter().all(|p| is_plain(p) && codecs[p.weight.0] == codec);
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
        if let Step::FusedMatMul(matmul) = step {
            for products in joined(plan, codecs, matmul, slots, plane_bytes_max) {
                join(&products.iter().map(|p| p.weight).collect::<Vec<_>>());
            }
        }
    }
    let alone = plan.matrices();
    (0..alone.len()).filter(|i| alone[*i]).for_each(|i| join(&[Weight(i)]));
    (matrices, places)
}

/// The products of a fused matmul, divided into runs whose weights are to be one matrix.
fn joined<'a>(
    plan: &Plan,
    codecs: &[Codec],
    matmul: &'a FusedMatMul,
    slots: &Slots,
    plane_bytes_max: usize,
) -> Vec<&'a [Product]> {
    if matmul.activation.is_some() {
        return vec![&matmul.products];
    }
    let mut runs: Vec<&[Product]> = Vec::new();
    let mut start = 0;
    for end in 1..=matmul.products.len() {
        let run = &matmul.products[start..=end.min(matmul.products.len() - 1)];
        let goes_on = end < matmul.products.len()
            && slots.follows(plan, run[run.len() - 2].dst, run[run.len() - 1].dst)
            && can_join(plan, codecs, run, plane_bytes_max);
        if !goes_on {
            runs.push(&matmul.products[start..end]);
            start = end;
        }
    }
    runs
}
