//! Attention over the cache: four queries of one key head at a time, so that a key is converted once for all of them.

use super::cache::{Cache, Head, STEP};
use super::vector::{HALF_SCALE, Vector, exp, fours, largest, sum};
use crate::reference::Attention;
use std::array::from_fn;

/// Queries that one pass over the keys serves.
const QUERIES: usize = 4;

/// Scratch for the scores of four queries, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Scores([Vec<f32>; QUERIES]);

/// See [`crate::reference::attention`].
pub(super) fn attention<V: Vector>(
    q: &[f32],
    cache: &Cache,
    shape: &Attention,
    start: usize,
    scores: &mut Scores,
    dst: &mut [f32],
) {
    let (head_dim, per_key) = (shape.head_dim, shape.n_head / shape.n_head_kv);
    let n_queries = q.len() / (shape.n_head * head_dim) * per_key;
    for (h, head) in cache.heads.iter().enumerate() {
        // Query i of this key head: token i / per_key, and its head h · per_key + i % per_key.
        let row = |i: usize| ((i / per_key) * shape.n_head + h * per_key + i % per_key) * head_dim;
        for first in (0..n_queries).step_by(QUERIES) {
            // Where fewer than four are left, the last one is done more than once.
            let tile: [usize; QUERIES] = from_fn(|i| (first + i).min(n_queries - 1));
            let visible = tile.map(|i| shape.visible(start + i / per_key));
            let queries = tile.map(|i| &q[row(i)..][..head_dim]);
            score::<V>(head, queries, shape.scale, visible[0].start..visible[QUERIES - 1].end, scores);
            for (scores, visible) in scores.0.iter_mut().zip(&visible) {
                softmax::<V>(scores, visible);
            }
            weigh::<V>(head, scores, visible[0].start..visible[QUERIES - 1].end, tile.map(row), head_dim, dst);
        }
    }
}

/// scores[i][pos] = scale · q[i] · keys[pos], for whole steps of positions around the range.
fn score<V: Vector>(head: &Head, q: [&[f32]; QUERIES], scale: f32, range: std::ops::Range<usize>, scores: &mut Scores) {
    let head_dim = q[0].len();
    let steps = range.start / STEP..range.end.div_ceil(STEP);
    for scores in &mut scores.0 {
        scores.resize(steps.end * STEP, 0.0);
    }
    let scale = V::splat(scale * HALF_SCALE);
    for step in steps {
        let keys = &head.keys[step * head_dim..][..head_dim];
        let q = q.map(|q| &q[..keys.len()]);
        let mut sums = [[V::splat(0.0); 2]; QUERIES];
        for (i, key) in keys.iter().enumerate() {
            let (low, high) = V::load_halves(key);
            let (low, high) = (V::mul(low, scale), V::mul(high, scale));
            for (sums, q) in sums.iter_mut().zip(q) {
                let q = V::splat(q[i]);
                *sums = [V::mul_add(low, q, sums[0]), V::mul_add(high, q, sums[1])];
            }
        }
        for (scores, sums) in scores.0.iter_mut().zip(sums) {
            let [low, high] = scores[step * STEP..][..STEP].as_chunks_mut().0 else {
                unreachable!("eight are two fours")
            };
            V::store(sums[0], low);
            V::store(sums[1], high);
        }
    }
}

/// Scores of visible positions → weights that sum to 1 / 2⁻¹¹²; the others → 0.
fn softmax<V: Vector>(scores: &mut [f32], visible: &std::ops::Range<usize>) {
    scores[..visible.start].fill(f32::NEG_INFINITY);
    scores[visible.end..].fill(f32::NEG_INFINITY);
    let first = visible.start / 4;
    let (fours_of_scores, _) = fours(scores);
    let max = fours_of_scores[first..].iter().fold(V::splat(f32::NEG_INFINITY), |max, x| V::max(max, V::load(x)));
    let max = V::splat(largest::<V>(max));
    let mut total = V::splat(0.0);
    for four in &mut scores.as_chunks_mut().0[first..] {
        let weight = exp::<V>(V::sub(V::load(four), max));
        V::store(weight, four);
    }
    scores[..visible.start].fill(0.0);
    scores[visible.end..].fill(0.0);
    for four in &scores.as_chunks().0[first..] {
        total = V::add(total, V::load(four));
    }
    let scale = V::splat(HALF_SCALE / sum::<V>(total));
    for four in &mut scores.as_chunks_mut().0[first..] {
        V::store(V::mul(V::load(four), scale), four);
    }
}

/// dst[row] = Σ weights[pos] · values[pos], eight elements at a time.
fn weigh<V: Vector>(
    head: &Head,
    weights: &Scores,
    range: std::ops::Range<usize>,
    rows: [usize; QUERIES],
    head_dim: usize,
    dst: &mut [f32],
) {
    let per_value = head_dim.div_ceil(STEP);
    let values = &head.values[range.start * per_value..range.end * per_value];
    let weights: [&[f32]; QUERIES] = from_fn(|i| &weights.0[i][range.clone()]);
    for part in 0..per_value {
        let mut sums = [[V::splat(0.0); 2]; QUERIES];
        for (pos, value) in values[part..].iter().step_by(per_value).enumerate() {
            let (low, high) = V::load_halves(value);
            for (sums, weights) in sums.iter_mut().zip(weights) {
                let weight = V::splat(weights[pos]);
                *sums = [V::mul_add(low, weight, sums[0]), V::mul_add(high, weight, sums[1])];
            }
        }
        for (row, sums) in rows.into_iter().zip(sums) {
            let mut eight = [[0.0; 4]; 2];
            V::store(sums[0], &mut eight[0]);
            V::store(sums[1], &mut eight[1]);
            let dst = &mut dst[row..][..head_dim][part * STEP..];
            let n = dst.len().min(STEP);
            dst[..n].copy_from_slice(&eight.as_flattened()[..n]);
        }
    }
}
