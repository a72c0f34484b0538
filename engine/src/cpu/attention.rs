//! Attention over the cache: a few queries of one key head at a time, so that a key is converted once for all of them.
//!
//! Positions are taken by blocks, with a running maximum (<https://arxiv.org/abs/2205.14135>), so that scores never leave
//! the first-level cache, and a long cache can be shared out between threads.

use super::cache::{Cache, Head, STEP};
use super::pool::Pool;
use super::vector::{HALF_SCALE, Vector, exp, largest, sum};
use crate::reference::Attention;
use std::ops::Range;

/// Queries that one pass over the keys serves.
const QUERIES: usize = 4;

/// Positions of a block.
const BLOCK: usize = 64;

/// Scaled queries are cut off here, so that they stay finite times [`HALF_SCALE`].
const QUERY_MAX: f32 = 32000.0;

/// What each task found, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<f32>);

/// How attention is cut into tasks: by key heads, then by [`QUERIES`], then by positions.
struct Cut {
    per_key: usize,
    n_queries: usize,
    n_tiles: usize,
    n_splits: usize,
}

/// See [`crate::reference::attention`].
pub(super) fn attention<V: Vector>(
    pool: &Pool,
    q: &[f32],
    cache: &Cache,
    shape: &Attention,
    start: usize,
    scratch: &mut Scratch,
    dst: &mut [f32],
) {
    let head_dim = shape.head_dim;
    let per_key = shape.n_head / shape.n_head_kv;
    let n_queries = q.len() / (shape.n_head * head_dim) * per_key;
    let n_tiles = n_queries.div_ceil(QUERIES);
    let n_blocks = (start + n_queries / per_key).div_ceil(BLOCK);
    let n_splits = (2 * pool.n_threads()).div_ceil(n_tiles * cache.heads.len()).min(n_blocks);
    let n_splits = if pool.n_threads() == 1 { 1 } else { n_splits };
    let cut = Cut { per_key, n_queries, n_tiles, n_splits };

    let width = Found::width(head_dim);
    scratch.0.resize(cache.heads.len() * n_tiles * n_splits * width, 0.0);
    pool.rows(&mut scratch.0, width, |first, rows| {
        for (task, found) in (first..).zip(rows.chunks_exact_mut(width)) {
            let (h, tile, split) = cut.task(task);
            let queries = cut.queries(tile);
            let rows = queries.clone().map(|i| &q[cut.row(shape, h, i)..][..head_dim]);
            let visible = queries.clone().map(|i| shape.visible(start + i / per_key));
            let found = Found::new(found, head_dim);
            let head = &cache.heads[h];
            match queries.len() {
                1 => attend::<V, 1>(head, rows, visible, (split, n_splits), shape.scale, found),
                2 => attend::<V, 2>(head, rows, visible, (split, n_splits), shape.scale, found),
                3 => attend::<V, 3>(head, rows, visible, (split, n_splits), shape.scale, found),
                _ => attend::<V, QUERIES>(head, rows, visible, (split, n_splits), shape.scale, found),
            }
        }
    });
    for (i, splits) in scratch.0.chunks_exact_mut(width * n_splits).enumerate() {
        let (h, tile, _) = cut.task(i * n_splits);
        for (n, query) in cut.queries(tile).enumerate() {
            let dst = &mut dst[cut.row(shape, h, query)..][..head_dim];
            merge::<V>(splits.chunks_exact_mut(width).map(|found| Found::new(found, head_dim)), n, dst);
        }
    }
}

impl Cut {
    /// Key head, tile and split of a task.
    fn task(&self, task: usize) -> (usize, usize, usize) {
        let tile = task / self.n_splits;
        (tile / self.n_tiles, tile % self.n_tiles, task % self.n_splits)
    }

    /// The queries of a tile. Query i of a key head belongs to token i / per_key.
    fn queries(&self, tile: usize) -> Range<usize> {
        tile * QUERIES..self.n_queries.min((tile + 1) * QUERIES)
    }

    /// Where query i of key head h starts.
    fn row(&self, shape: &Attention, h: usize, i: usize) -> usize {
        let head = h * self.per_key + i % self.per_key;
        ((i / self.per_key) * shape.n_head + head) * shape.head_dim
    }
}

/// Of one tile of queries and some positions: softmax and weighted values, not yet divided by the sum.
struct Found<'a> {
    /// The scaled queries beside each other.
    queries: &'a mut [[f32; QUERIES]],
    max: &'a mut [f32; QUERIES],
    sum: &'a mut [f32; QUERIES],
    /// `[QUERIES, head_dim / 8, 8]`.
    values: &'a mut [[f32; STEP]],
}

impl<'a> Found<'a> {
    fn width(head_dim: usize) -> usize {
        QUERIES * (head_dim + 2 + head_dim.next_multiple_of(STEP))
    }

    fn new(floats: &'a mut [f32], head_dim: usize) -> Self {
        let (queries, rest) = floats.split_at_mut(QUERIES * head_dim);
        let (max, rest) = rest.split_at_mut(QUERIES);
        let (sum, values) = rest.split_at_mut(QUERIES);
        Self {
            queries: queries.as_chunks_mut().0,
            max: max.try_into().expect("as many as queries"),
            sum: sum.try_into().expect("as many as queries"),
            values: values.as_chunks_mut().0,
        }
    }
}

/// Attends to part `split` of `n_splits` of the positions that are visible.
fn attend<'a, V: Vector, const Q: usize>(
    head: &Head,
    rows: impl Iterator<Item = &'a [f32]>,
    visible: impl Iterator<Item = Range<usize>>,
    (split, n_splits): (usize, usize),
    scale: f32,
    found: Found<'_>,
) {
    for (n, row) in rows.enumerate() {
        for (query, x) in found.queries.iter_mut().zip(row) {
            query[n] = (x * scale).clamp(-QUERY_MAX, QUERY_MAX) * HALF_SCALE;
        }
    }
    found.max.fill(f32::NEG_INFINITY);
    found.sum.fill(0.0);
    found.values.as_flattened_mut().fill(0.0);
    let mut ranges: [Range<usize>; Q] = std::array::from_fn(|_| 0..0);
    ranges.iter_mut().zip(visible).for_each(|(range, visible)| *range = visible);
    let blocks = ranges[0].start / BLOCK..ranges[Q - 1].end.div_ceil(BLOCK);
    let bound = |split: usize| blocks.start + blocks.len() * split / n_splits;
    for block in bound(split)..bound(split + 1) {
        let block = block * BLOCK..((block + 1) * BLOCK).min(ranges[Q - 1].end);
        let mut scores = [[0.0; QUERIES]; BLOCK];
        score::<V, Q>(head, found.queries, &block, &mut scores);
        let grown: [f32; Q] = std::array::from_fn(|n| {
            let visible = ranges[n].start.max(block.start)..ranges[n].end.min(block.end);
            soften::<V>(&mut scores, n, block.start, &visible, &mut found.max[n], &mut found.sum[n])
        });
        weigh::<V, Q>(head, &scores[..block.len()], block, grown, found.values);
    }
}

/// scores[pos][n] = queries[n] · keys[pos].
#[inline(always)]
fn score<V: Vector, const Q: usize>(
    head: &Head,
    queries: &[[f32; QUERIES]],
    block: &Range<usize>,
    scores: &mut [[f32; QUERIES]; BLOCK],
) {
    let keys = head.keys[block.start / STEP * queries.len()..].chunks_exact(queries.len());
    for (keys, scores) in keys.zip(scores[..block.len().next_multiple_of(STEP)].chunks_exact_mut(STEP)) {
        let mut sums = [[V::splat(0.0); 2]; Q];
        for (key, query) in keys.iter().zip(queries) {
            let (low, high) = V::load_halves(key);
            for n in 0..Q {
                let query = V::splat(query[n]);
                sums[n] = [V::mul_add(low, query, sums[n][0]), V::mul_add(high, query, sums[n][1])];
            }
        }
        for n in 0..Q {
            let mut eight = [[0.0; 4]; 2];
            V::store(sums[n][0], &mut eight[0]);
            V::store(sums[n][1], &mut eight[1]);
            scores.iter_mut().zip(eight.as_flattened()).for_each(|(scores, score)| scores[n] = *score);
        }
    }
}

/// Scores of query n → weights times 2¹¹² relative to the new maximum, 0 where it sees nothing. Returns what older weights
/// must be multiplied by.
#[inline(always)]
fn soften<V: Vector>(
    scores: &mut [[f32; QUERIES]; BLOCK],
    n: usize,
    start: usize,
    visible: &Range<usize>,
    max: &mut f32,
    total: &mut f32,
) -> f32 {
    if visible.is_empty() {
        scores.iter_mut().for_each(|scores| scores[n] = 0.0);
        return 1.0;
    }
    let seen = visible.start - start..visible.end - start;
    let mut weights = [f32::NEG_INFINITY; BLOCK];
    weights[seen.clone()].iter_mut().zip(&scores[seen.clone()]).for_each(|(weight, score)| *weight = score[n]);
    let (fours, _) = weights.as_chunks_mut::<4>();
    let new_max = fours.iter().fold(V::splat(*max), |max, x| V::max(max, V::load(x)));
    let new_max = largest::<V>(new_max);
    let grown = if new_max == *max { 1.0 } else { (*max - new_max).exp() };
    *max = new_max;
    let mut new_total = V::splat(0.0);
    for four in fours {
        let weight = exp::<V>(V::sub(V::load(four), V::splat(new_max)));
        V::store(V::mul(weight, V::splat(HALF_SCALE)), four);
        new_total = V::add(new_total, weight);
    }
    *total = *total * grown + sum::<V>(new_total);
    weights[..seen.start].fill(0.0);
    weights[seen.end..].fill(0.0);
    scores.iter_mut().zip(weights).for_each(|(scores, weight)| scores[n] = weight);
    grown
}

/// values[n] = values[n] · grown[n] + Σ weights[pos][n] · values[pos], eight elements at a time.
#[inline(always)]
fn weigh<V: Vector, const Q: usize>(
    head: &Head,
    weights: &[[f32; QUERIES]],
    block: Range<usize>,
    grown: [f32; Q],
    found: &mut [[f32; STEP]],
) {
    let per_value = found.len() / QUERIES;
    let values = &head.values[block.start * per_value..block.end * per_value];
    for part in 0..per_value {
        let mut sums: [[V::F; 2]; Q] = std::array::from_fn(|n| {
            let ([low, high], _) = found[n * per_value + part].as_chunks() else { unreachable!("two fours are eight") };
            let grown = V::splat(grown[n]);
            [V::mul(V::load(low), grown), V::mul(V::load(high), grown)]
        });
        for (value, weights) in values[part..].iter().step_by(per_value).zip(weights) {
            let (low, high) = V::load_halves(value);
            for n in 0..Q {
                let weight = V::splat(weights[n]);
                sums[n] = [V::mul_add(low, weight, sums[n][0]), V::mul_add(high, weight, sums[n][1])];
            }
        }
        for n in 0..Q {
            let ([low, high], _) = found[n * per_value + part].as_chunks_mut() else {
                unreachable!("two fours are eight")
            };
            V::store(sums[n][0], low);
            V::store(sums[n][1], high);
        }
    }
}

/// dst = what the splits found for query n, together.
fn merge<'a, V: Vector>(splits: impl Iterator<Item = Found<'a>>, n: usize, dst: &mut [f32]) {
    let splits: Vec<_> = splits.collect();
    let max = splits.iter().fold(f32::NEG_INFINITY, |max, found| max.max(found.max[n]));
    let weight = |found: &Found<'_>| if found.sum[n] > 0.0 { (found.max[n] - max).exp() } else { 0.0 };
    let total: f32 = splits.iter().map(|found| weight(found) * found.sum[n]).sum();
    dst.fill(0.0);
    for found in &splits {
        let scale = weight(found) / total;
        let per_value = found.values.len() / QUERIES;
        let values = found.values[n * per_value..][..per_value].as_flattened();
        dst.iter_mut().zip(values).for_each(|(dst, value)| *dst += scale * value);
    }
}
