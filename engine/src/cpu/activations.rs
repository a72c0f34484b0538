//! Activations as a matmul wants them: 16-bit integers with one scale for 32, made once for all the rows of all the
//! weights that read them.
//!
//! Eight bits would do for speed, but not for agreement: rounding to them changes the most likely token at one position
//! in twenty.

use super::dot::{Beside, Dot, GROUP, Ints};
use super::pool::Pool;
use super::vector::{Vector, largest, round, sum, sum_int};

/// The largest integer: its upper byte, rounded, still is one.
const MAX: f32 = 127.0 * 256.0;

/// What is no larger is nothing: its inverse could not be told from infinity.
const TINY: f32 = 1e-30;

/// Scales are kept times 2⁵⁶, and sums made with them are put right in the end: halves are read times 2⁻¹¹²
/// ([`Vector::load_halves`]), and this way need no product of their own. It changes no bit of sums below 2⁷² whose scales,
/// of weights times activations, are above 2⁻⁷⁰; smaller ones are rounded, and larger sums are infinite.
pub(super) const SCALE_UNIT: f32 = f32::from_bits((56 + 127) << 23);

/// Tokens whose activations stand side by side.
pub(super) const TOKENS: usize = 4;

/// 32 activations of T tokens: x[i] ≈ scale · q[i].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group<const T: usize> {
    /// The integers, as the machine wants them.
    pub(super) q: Beside<T>,
    /// What else there is to know of each token.
    pub(super) of: [Scaling; T],
}

/// Scale and sums of 32 integers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Scaling {
    /// The scale, times [`SCALE_UNIT`].
    pub(super) scale: f32,
    /// Σ q over all.
    pub(super) sum: i32,
    /// scale · Σ q over all, times [`SCALE_UNIT`].
    pub(super) total: f32,
    /// Σ q over the first and the second sixteen.
    pub(super) sums: [i32; 2],
}

/// Activations of some tokens, by fours, and then of the rest, one by one.
#[derive(Debug, Default)]
pub(super) struct Activations {
    /// `[n_tokens / 4, cols / 32]`.
    fours: Vec<Group<TOKENS>>,
    /// `[n_tokens % 4, cols / 32]`.
    ones: Vec<Group<1>>,
    per_row: usize,
}

impl Activations {
    /// Quantises `x` `[n_tokens, cols]`; `cols` is a multiple of 32.
    pub(super) fn quantize<D: Dot>(&mut self, pool: &Pool, x: &[f32], cols: usize) {
        self.per_row = cols / GROUP;
        let n_fours = x.len() / cols / TOKENS;
        let (tiled, rest) = x.split_at(n_fours * TOKENS * cols);
        quantize_rows::<D, TOKENS>(pool, tiled, self.per_row, &mut self.fours);
        quantize_rows::<D, 1>(pool, rest, self.per_row, &mut self.ones);
    }

    /// The groups of four tokens, of which `token` is the first and stands at a multiple of 4.
    pub(super) fn four(&self, token: usize) -> &[Group<TOKENS>] {
        &self.fours[token / TOKENS * self.per_row..][..self.per_row]
    }

    /// The groups of one of the last tokens, which are no four.
    pub(super) fn one(&self, token: usize) -> &[Group<1>] {
        &self.ones[token % TOKENS * self.per_row..][..self.per_row]
    }
}

/// Quantises `x` `[n · T, per_row · 32]`.
fn quantize_rows<D: Dot, const T: usize>(pool: &Pool, x: &[f32], per_row: usize, groups: &mut Vec<Group<T>>) {
    let x = x.as_chunks::<GROUP>().0;
    groups.resize(x.len() / T, Group::default());
    pool.rows(groups, per_row, |first, groups| {
        let rows = x[first * T * per_row..].chunks_exact(T * per_row);
        for (groups, x) in groups.chunks_exact_mut(per_row).zip(rows) {
            for (i, group) in groups.iter_mut().enumerate() {
                for t in 0..T {
                    group.put::<D>(t, &x[t * per_row + i]);
                }
            }
        }
    });
}

impl<const T: usize> Default for Group<T> {
    fn default() -> Self {
        Self { q: [[[0; 4]; T]; GROUP / 2], of: [Scaling::default(); T] }
    }
}

impl<const T: usize> Group<T> {
    /// Quantises a token's activations.
    fn put<D: Dot>(&mut self, t: usize, x: &[f32; GROUP]) {
        let splat = <D::V as Vector>::splat;
        let x: [_; 8] = std::array::from_fn(|i| D::V::load(&x.as_chunks().0[i]));
        let positive = x.iter().fold(splat(0.0), |a, b| D::V::max(a, *b));
        let negative = x.iter().fold(splat(0.0), |a, b| D::V::min(a, *b));
        let max = largest::<D::V>(D::V::max(positive, D::V::sub(splat(0.0), negative)));
        // What is not finite need not be the largest, as which machine compares; but it is no number, whatever it is multiplied by.
        let nothing = sum::<D::V>(x.iter().fold(splat(0.0), |sum, x| D::V::add(sum, D::V::sub(*x, *x))));
        let max = if max <= TINY { nothing } else { max + nothing };
        let inverse = splat(if max > 0.0 { MAX / max } else { 0.0 });
        let q = x.map(|x| round::<D::V>(D::V::mul(x, inverse)));
        self.put_integers::<D>(t, q, max / MAX);
    }

    /// Sets a token's integers, which come by fours.
    #[inline(always)]
    pub(super) fn put_integers<D: Dot>(&mut self, t: usize, q: [Ints<D>; GROUP / 4], scale: f32) {
        let sum =
            |fours: &[Ints<D>]| sum_int::<D::V>(fours.iter().fold(D::V::splat_int(0), |a, b| D::V::add_int(a, *b)));
        let (first, second) = q.split_at(GROUP / 8);
        let sums = [sum(first), sum(second)];
        self.q.iter_mut().zip(D::arrange(q)).for_each(|(beside, q)| beside[t] = q);
        let sum = sums[0].wrapping_add(sums[1]); // Of what is not a number, the integers may be any.
        let scale = scale * SCALE_UNIT;
        self.of[t] = Scaling { scale, sum, total: scale * sum as f32, sums };
    }
}

#[cfg(test)]
mod tests {
    use super::super::dot::Pairs;
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    use super::super::dot::Quads;
    use super::super::vector::Best;
    use super::super::vector::plain::Plain;
    use super::*;
    use crate::rng::Rng;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Activations of six tokens, each of another size.
    fn quantized<D: Dot>() -> (Vec<Group<TOKENS>>, Vec<Group<1>>) {
        let (mut rng, cols) = (Rng::new(3), 4 * GROUP);
        let sizes = [1.0, 1e-9, 3e7, 16.256, 1e-34, 1e16];
        let x = sizes.iter().flat_map(|size| std::iter::repeat_n(size, cols));
        let x: Vec<f32> = x.map(|size| size * (rng.below(4001) as f32 - 2000.0)).collect();
        let mut activations = Activations::default();
        activations.quantize::<D>(&Pool::alone(), &x, cols);
        (activations.fours, activations.ones)
    }

    #[test]
    fn every_machine_rounds_the_same() {
        assert_eq!(quantized::<Pairs<Best>>(), quantized::<Pairs<Plain>>());
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        assert_eq!(quantized::<Quads<Best, false>>(), quantized::<Quads<Plain, false>>());
    }

    #[test]
    fn what_is_not_finite_is_not_a_number() {
        for (place, x) in [(0, f32::NAN), (13, f32::NAN), (31, f32::INFINITY), (5, f32::NEG_INFINITY)] {
            let mut activations = Activations::default();
            let mut xs: [f32; GROUP] = std::array::from_fn(|i| i as f32);
            xs[place] = x;
            activations.quantize::<Pairs<Best>>(&Pool::alone(), &xs, GROUP);
            assert!(activations.one(0)[0].of[0].scale.is_nan(), "{x} at {place}");
        }
    }

    #[test]
    fn almost_nothing_is_nothing() {
        let mut activations = Activations::default();
        activations.quantize::<Pairs<Best>>(&Pool::alone(), &[1e-38; GROUP], GROUP);
        let group = activations.one(0)[0];
        assert_eq!((group.q, group.of[0].scale, group.of[0].sum), (Group::<1>::default().q, 0.0, 0));
    }
}
