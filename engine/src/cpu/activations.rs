//! Activations as a matmul wants them: 16-bit integers with one scale for 32, made once for all the rows of all the
//! weights that read them.
//!
//! Eight bits would do for speed, but not for agreement: rounding to them changes the most likely token at one position
//! in twenty.

use super::dot::{Arranged, Dot, GROUP, Ints};
use super::pool::Pool;
use super::vector::{Vector, largest, round, sum_int};

/// The largest integer: its upper byte, rounded, still is one.
const MAX: f32 = 127.0 * 256.0;

/// 32 activations: x[i] ≈ scale · q[i].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    /// The integers, as the machine wants them.
    pub(super) q: Arranged,
    /// The scale.
    pub(super) scale: f32,
    /// Σ q over all.
    pub(super) sum: i32,
    /// scale · Σ q over all.
    pub(super) total: f32,
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
    pub(super) fn quantize<D: Dot>(&mut self, pool: &Pool, x: &[f32], cols: usize) {
        self.per_row = cols / GROUP;
        self.groups.resize(x.len() / GROUP, Group::default());
        pool.rows(&mut self.groups, self.per_row, |first, groups| {
            let x = x[first * cols..].as_chunks::<GROUP>().0;
            groups.iter_mut().zip(x).for_each(|(group, x)| *group = Group::new::<D>(x));
        });
    }

    /// The groups of one token.
    pub(super) fn row(&self, token: usize) -> &[Group] {
        &self.groups[token * self.per_row..][..self.per_row]
    }
}

impl Group {
    fn new<D: Dot>(x: &[f32; GROUP]) -> Self {
        let splat = <D::V as Vector>::splat;
        let x: [_; 8] = std::array::from_fn(|i| D::V::load(&x.as_chunks().0[i]));
        let positive = x.iter().fold(splat(0.0), |a, b| D::V::max(a, *b));
        let negative = x.iter().fold(splat(0.0), |a, b| D::V::min(a, *b));
        let max = largest::<D::V>(D::V::max(positive, D::V::sub(splat(0.0), negative)));
        let inverse = splat(if max > 0.0 { MAX / max } else { 0.0 });
        let q = x.map(|x| round::<D::V>(D::V::mul(x, inverse)));
        Self::of::<D>(q, max / MAX)
    }

    /// The group of these integers, by fours.
    #[inline(always)]
    pub(super) fn of<D: Dot>(q: [Ints<D>; GROUP / 4], scale: f32) -> Self {
        let sum =
            |fours: &[Ints<D>]| sum_int::<D::V>(fours.iter().fold(D::V::splat_int(0), |a, b| D::V::add_int(a, *b)));
        let (first, second) = q.split_at(GROUP / 8);
        let sums = [sum(first), sum(second)];
        let halfwords = std::array::from_fn(|i| D::V::narrow([q[2 * i], q[2 * i + 1]]));
        let sum = sums[0].wrapping_add(sums[1]); // Of what is not a number, the integers may be any.
        Self { q: D::arrange(halfwords), scale, sum, total: scale * sum as f32, sums }
    }
}
