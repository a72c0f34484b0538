//! Activations as a matmul wants them: 16-bit integers with one scale for a token, made once for all the rows of all the
//! weights that read them.
//!
//! Eight bits would do for speed, but not for agreement: rounding to them changes the most likely token at one position
//! in twenty. With sixteen, none is off by more than a 65024th of the token's largest, and SmolLM2 and Gemma agree with llama.cpp as
//! well as with a scale for every 32.

use super::dot::{Beside, Dot, GROUP, Ints};
use super::pool::Pool;
use super::vector::{Vector, largest, round, sum, sum_int};
use std::array::from_fn;

/// The largest integer: its upper byte, rounded, still is one.
const MAX: f32 = 127.0 * 256.0;

/// What is no larger is nothing: its inverse could not be told from infinity.
const TINY: f32 = 1e-30;

/// Tokens whose activations stand side by side.
pub(super) const TOKEN_PAIR: usize = 2;

/// Tokens of a tile: two times those.
pub(super) const TOKENS: usize = 2 * TOKEN_PAIR;

/// Activations of T tokens: x[t][i] ≈ scales[t] · q[t][i].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantized<const T: usize> {
    /// Of each token.
    pub(super) scales: [f32; T],
    /// `[cols / 32]`.
    pub(super) groups: Vec<Group<T>>,
}

/// 32 integers of T tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Group<const T: usize> {
    /// The integers, as the machine wants them.
    pub(super) q: Beside<T>,
    /// What else there is to know of each token.
    pub(super) totals: [Totals; T],
}

/// Totals of 32 integers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Totals {
    /// Of all.
    pub(super) all: i32,
    /// The same.
    pub(super) all_as_float: f32,
    /// Of the first and the second sixteen.
    pub(super) halves: [i32; 2],
}

/// Activations of some tokens, by twos as long as there are four, and then of the rest, one by one.
#[derive(Debug, Default)]
pub(super) struct Activations {
    /// `[n_tokens / 4, 2]`.
    twos: Vec<Quantized<TOKEN_PAIR>>,
    /// `[n_tokens % 4]`.
    ones: Vec<Quantized<1>>,
}

impl Activations {
    /// Quantises `x` `[n_tokens, cols]`; `cols` is a multiple of 32.
    pub(super) fn quantize<D: Dot>(&mut self, pool: &Pool, x: &[f32], cols: usize) {
        let (tiled, rest) = x.split_at(x.len() / (TOKENS * cols) * TOKENS * cols);
        quantize_tokens::<D, TOKEN_PAIR>(pool, tiled, cols / GROUP, &mut self.twos);
        quantize_tokens::<D, 1>(pool, rest, cols / GROUP, &mut self.ones);
    }

    /// Four tokens, of which `token` is the first and stands at a multiple of 4.
    pub(super) fn four(&self, token: usize) -> &[Quantized<TOKEN_PAIR>; 2] {
        self.twos[token / TOKEN_PAIR..].first_chunk().expect("four tokens")
    }

    /// One of the last tokens, which are no four.
    pub(super) fn one(&self, token: usize) -> &Quantized<1> {
        &self.ones[token % TOKENS]
    }
}

/// Quantises `x` `[n · T, n_groups · 32]`.
fn quantize_tokens<D: Dot, const T: usize>(pool: &Pool, x: &[f32], n_groups: usize, dst: &mut Vec<Quantized<T>>) {
    let x = x.as_chunks::<GROUP>().0;
    let n = x.len() / (T * n_groups);
    // What a reply does not need, the next prompt does.
    dst.resize(n.max(dst.len()), Quantized::default());
    let dst = &mut dst[..n];
    // Not in a task: if memory runs out here, this thread can say so.
    dst.iter_mut().for_each(|tokens| tokens.groups.resize(n_groups, Group::default()));
    pool.rows(dst, 1, |first, dst| {
        for (dst, x) in dst.iter_mut().zip(x[first * T * n_groups..].chunks_exact(T * n_groups)) {
            for (t, x) in x.chunks_exact(n_groups).enumerate() {
                dst.put::<D>(t, x);
            }
        }
    });
}

impl<const T: usize> Default for Quantized<T> {
    fn default() -> Self {
        Self { scales: [0.0; T], groups: Vec::new() }
    }
}

impl<const T: usize> Quantized<T> {
    /// Quantises a token's activations.
    fn put<D: Dot>(&mut self, t: usize, x: &[[f32; GROUP]]) {
        let max = magnitude::<D::V>(x.as_flattened());
        self.scales[t] = max / MAX;
        let inverse = D::V::splat(if max > 0.0 { MAX / max } else { 0.0 });
        for (group, x) in self.groups.iter_mut().zip(x) {
            let integers = |four| round::<D::V>(D::V::mul(D::V::load(four), inverse));
            group.put::<D>(t, from_fn(|i| integers(&x.as_chunks().0[i])));
        }
    }
}

/// The largest magnitude; 0 of almost nothing, and no number of what is not finite.
fn magnitude<V: Vector>(x: &[f32]) -> f32 {
    let zeros = [V::splat(0.0); 4];
    let (mut max, mut nothing) = (zeros, zeros);
    for fours in x.as_chunks::<4>().0.as_chunks::<4>().0 {
        for i in 0..4 {
            let x = V::load(&fours[i]);
            max[i] = V::max(max[i], V::max(x, V::sub(zeros[i], x)));
            // What is not finite need not be the largest, as which machine compares; but it is no number, whatever it is
            // multiplied by.
            nothing[i] = V::add(nothing[i], V::sub(x, x));
        }
    }
    let max = largest::<V>(V::max(V::max(max[0], max[1]), V::max(max[2], max[3])));
    let nothing = sum::<V>(V::add(V::add(nothing[0], nothing[1]), V::add(nothing[2], nothing[3])));
    if max <= TINY { nothing } else { max + nothing }
}

impl<const T: usize> Default for Group<T> {
    fn default() -> Self {
        Self { q: [[[0; 4]; T]; GROUP / 2], totals: [Totals::default(); T] }
    }
}

impl<const T: usize> Group<T> {
    /// Sets a token's integers, which come by fours.
    #[inline(always)]
    pub(super) fn put<D: Dot>(&mut self, t: usize, q: [Ints<D>; GROUP / 4]) {
        let sum =
            |fours: &[Ints<D>]| sum_int::<D::V>(fours.iter().fold(D::V::splat_int(0), |a, b| D::V::add_int(a, *b)));
        let (first, second) = q.split_at(GROUP / 8);
        let halves = [sum(first), sum(second)];
        self.q.iter_mut().zip(D::arrange(q)).for_each(|(beside, q)| beside[t] = q);
        let all = halves[0].wrapping_add(halves[1]); // Of what is not a number, the integers may be any.
        self.totals[t] = Totals { all, all_as_float: all as f32, halves };
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    use super::super::dot::DotI8x4;
    use super::super::dot::DotI16x2;
    use super::super::vector::NativeSimd;
    use super::super::vector::plain::Plain;
    use super::*;
    use crate::rng::Rng;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Activations of six tokens, each of another size.
    fn quantized<D: Dot>() -> (Vec<Quantized<TOKEN_PAIR>>, Vec<Quantized<1>>) {
        let (mut rng, cols) = (Rng::new(3), 4 * GROUP);
        let sizes = [1.0, 1e-9, 3e7, 16.256, 1e-34, 1e16];
        let x = sizes.iter().flat_map(|size| std::iter::repeat_n(size, cols));
        let x: Vec<f32> = x.map(|size| size * (rng.below(4001) as f32 - 2000.0)).collect();
        let mut activations = Activations::default();
        activations.quantize::<D>(&Pool::alone(), &x, cols);
        (activations.twos, activations.ones)
    }

    #[test]
    fn every_machine_rounds_the_same() {
        assert_eq!(quantized::<DotI16x2<NativeSimd>>(), quantized::<DotI16x2<Plain>>());
        #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
        assert_eq!(quantized::<DotI8x4<NativeSimd, false>>(), quantized::<DotI8x4<Plain, false>>());
    }

    #[test]
    fn what_is_not_finite_is_not_a_number() {
        for (place, x) in [(0, f32::NAN), (13, f32::NAN), (31, f32::INFINITY), (5, f32::NEG_INFINITY)] {
            let mut activations = Activations::default();
            let mut xs: [[[f32; GROUP]; 3]; TOKENS] = from_fn(|_| from_fn(|_| from_fn(|i| i as f32)));
            xs[1][2][place] = x;
            activations.quantize::<DotI16x2<NativeSimd>>(&Pool::alone(), xs.as_flattened().as_flattened(), 3 * GROUP);
            let are_numbers = [0, 1].map(|two| activations.four(0)[two].scales.map(|scale| !scale.is_nan()));
            assert_eq!(are_numbers, [[true, false], [true, true]], "{x} at {place}");
        }
    }

    #[test]
    fn almost_nothing_is_nothing() {
        let mut activations = Activations::default();
        activations.quantize::<DotI16x2<NativeSimd>>(&Pool::alone(), &[1e-38; GROUP], GROUP);
        assert_eq!(*activations.one(0), Quantized { scales: [0.0], groups: vec![Group::default()] });
    }
}
