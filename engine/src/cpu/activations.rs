//! Activations as a matmul wants them: int8 with one scale for 32, made once for all the rows of all the weights that
//! read them.

use super::vector::{Best, Vector, largest, round};

/// Columns that share a scale; also the columns of one weight block.
pub(super) const GROUP: usize = 32;

/// 32 activations: x[i] ≈ scale · q[i].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// −127 … 127, by fours.
    pub(super) q: [[i8; 4]; GROUP / 4],
    /// The scale.
    pub(super) scale: f32,
    /// Σ q over the first and the second sixteen.
    pub(super) sums: [i32; 2],
}

/// Activations `[n_tokens, cols / 32]`.
#[derive(Debug, Default)]
pub(super) struct Activations {
    groups: Vec<Group>,
    per_row: usize,
}

impl Activations {
    /// Quantises `x` `[n_tokens, cols]`; `cols` is a multiple of 32.
    pub(super) fn quantize(&mut self, x: &[f32], cols: usize) {
        self.per_row = cols / GROUP;
        self.groups.clear();
        self.groups.extend(x.as_chunks::<GROUP>().0.iter().map(Group::new::<Best>));
    }

    /// The groups of one token.
    pub(super) fn row(&self, token: usize) -> &[Group] {
        &self.groups[token * self.per_row..][..self.per_row]
    }
}

impl Group {
    fn new<V: Vector>(x: &[f32; GROUP]) -> Self {
        let x: [V::F; 8] = std::array::from_fn(|i| V::load(x[4 * i..][..4].try_into().expect("four of 32")));
        let positive = x.iter().fold(V::splat(0.0), |a, b| V::max(a, *b));
        let negative = x.iter().fold(V::splat(0.0), |a, b| V::min(a, *b));
        let max = largest::<V>(V::max(positive, V::sub(V::splat(0.0), negative)));
        let scale = max / 127.0;
        let inverse = V::splat(if scale > 0.0 { 127.0 / max } else { 0.0 });
        let q = x.map(|x| round::<V>(V::mul(x, inverse)));
        let halves = [V::narrow([q[0], q[1], q[2], q[3]]), V::narrow([q[4], q[5], q[6], q[7]])];
        let sums = halves.map(|half| half.iter().map(|q| i32::from(*q)).sum());
        let q = std::array::from_fn(|i| std::array::from_fn(|j| halves[i / 4][4 * (i % 4) + j]));
        Self { q, scale, sums }
    }
}
