//! Activations as a matmul wants them: 16-bit integers with one scale for 32, made once for all the rows of all the
//! weights that read them.
//!
//! Eight bits would do for speed, but not for agreement: rounding to them changes the most likely token at one position
//! in twenty.

use super::vector::{Best, GROUP, Vector, largest, round};

/// The largest integer: its upper byte, rounded, still is one.
const MAX: f32 = 127.0 * 256.0;

/// 32 activations: x[i] ≈ scale · q[i].
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<V: Vector> {
    /// The integers, as the machine wants them.
    pub(super) q: V::Group,
    /// The scale.
    pub(super) scale: f32,
    /// Σ q over the first and the second sixteen.
    pub(super) sums: [i32; 2],
}

/// Activations `[n_tokens, cols / 32]`.
#[derive(Debug, Default)]
pub(super) struct Activations {
    groups: Vec<Group<Best>>,
    per_row: usize,
}

impl Activations {
    /// Quantises `x` `[n_tokens, cols]`; `cols` is a multiple of 32.
    pub(super) fn quantize(&mut self, x: &[f32], cols: usize) {
        self.per_row = cols / GROUP;
        self.groups.clear();
        self.groups.extend(x.as_chunks::<GROUP>().0.iter().map(Group::new));
    }

    /// The groups of one token.
    pub(super) fn row(&self, token: usize) -> &[Group<Best>] {
        &self.groups[token * self.per_row..][..self.per_row]
    }
}

impl<V: Vector> Group<V> {
    fn new(x: &[f32; GROUP]) -> Self {
        let x: [V::F; 8] = std::array::from_fn(|i| V::load(&x.as_chunks().0[i]));
        let positive = x.iter().fold(V::splat(0.0), |a, b| V::max(a, *b));
        let negative = x.iter().fold(V::splat(0.0), |a, b| V::min(a, *b));
        let max = largest::<V>(V::max(positive, V::sub(V::splat(0.0), negative)));
        let inverse = V::splat(if max > 0.0 { MAX / max } else { 0.0 });
        let q = x.map(|x| round::<V>(V::mul(x, inverse)));
        let eights: [[i16; 8]; 4] = std::array::from_fn(|i| V::narrow([q[2 * i], q[2 * i + 1]]));
        Self::of(eights.as_flattened().try_into().expect("32 integers"), max / MAX)
    }

    /// The group of these integers.
    pub(super) fn of(q: &[i16; GROUP], scale: f32) -> Self {
        let sum = |half: &[i16]| half.iter().map(|q| i32::from(*q)).sum();
        Self { q: V::group(q), scale, sums: [sum(&q[..GROUP / 2]), sum(&q[GROUP / 2..])] }
    }
}
