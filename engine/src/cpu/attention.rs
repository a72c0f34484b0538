//! Attention over the cache: a few queries of one key head at a time, so that a key is converted once for all of them.
//!
//! Positions are taken by blocks, with a running maximum (<https://arxiv.org/abs/2205.14135>), so that scores never leave
//! the first-level cache, and a long cache can be shared out between threads.

use super::cache::{Head, STEP};
use super::pool::Pool;
use super::vector::{Vector, exp, largest, sum};
use crate::reference::Attention;
use std::array::from_fn;
use std::ops::Range;

/// Queries that one pass over the keys serves: as many as the registers hold sums for.
pub(super) const QUERIES: usize = 6;

/// Positions of a block.
pub(super) const BLOCK: usize = 64;

/// Tiles of queries that take a block one after the other, so that it is converted once for all.
const TILES: usize = 16;

/// Scaled queries are cut off here, so that they stay finite times [`Head::unit`].
const QUERY_MAX: f32 = 32000.0;

/// What each task found, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<f32>);

/// How attention is cut into tasks: by key heads, then by tiles of queries, some together, then by positions.
struct Cut<'a> {
    shape: &'a Attention,
    start: usize,
    per_key: usize,
    n_queries: usize,
    /// Queries of a tile.
    per_tile: usize,
    /// Tiles of a task, at most.
    n_tiles: usize,
    /// Tasks of a key head that differ in their tiles.
    n_groups: usize,
    /// Tasks that differ in their positions.
    n_splits: usize,
}

/// See [`crate::reference::attention`].
pub(super) fn attention<V: Vector, H: Head>(
    pool: &Pool,
    q: &[f32],
    heads: &[H],
    shape: &Attention,
    start: usize,
    scratch: &mut Scratch,
    dst: &mut [f32],
) {
    let head_dim = shape.head_dim;
    let n_tokens = q.len() / (shape.n_head * head_dim);
    let cut = Cut::new(shape, start, n_tokens, pool.n_threads());
    let width = cut.n_tiles * Found::width(head_dim);
    scratch.0.resize(shape.n_head_kv * cut.n_groups * cut.n_splits * width, 0.0);
    pool.rows(&mut scratch.0, width, |first, rows| {
        for (task, found) in (first..).zip(rows.chunks_exact_mut(width)) {
            cut.attend::<V, H>(task, q, heads, found);
        }
    });
    let found = &scratch.0;
    let merge_rows = |first: usize, rows: &mut [f32]| {
        for (row, dst) in (first..).zip(rows.chunks_exact_mut(head_dim)) {
            let (task, tile, n) = cut.place(row);
            let splits = found[task * width..][..cut.n_splits * width].chunks_exact(width);
            merge(splits.map(|found| Part::of(&found[tile * Found::width(head_dim)..], head_dim, n)), dst);
        }
    };
    if n_tokens == 1 {
        merge_rows(0, dst); // One token's are too few to share.
    } else {
        pool.rows(dst, head_dim, merge_rows);
    }
}

impl<'a> Cut<'a> {
    fn new(shape: &'a Attention, start: usize, n_tokens: usize, n_threads: usize) -> Self {
        let per_key = shape.n_head / shape.n_head_kv;
        let n_queries = n_tokens * per_key;
        // As few tiles as there must be, of the same size.
        let per_tile = n_queries.div_ceil(n_queries.div_ceil(QUERIES));
        let n_tiles = n_queries.div_ceil(per_tile);
        let n_groups = n_tiles.div_ceil(TILES);
        let n_tiles = n_tiles.div_ceil(n_groups);
        let n_blocks = (start + n_tokens).div_ceil(BLOCK) - shape.visible(start).start / BLOCK;
        let n_splits = match n_threads {
            1 => 1,
            _ => (2 * n_threads).div_ceil(n_groups * shape.n_head_kv).min(n_blocks),
        };
        Self { shape, start, per_key, n_queries, per_tile, n_tiles, n_groups, n_splits }
    }

    /// The first task, the tile in it and the number in that of row `row` of `[n_tokens · n_head]` queries.
    fn place(&self, row: usize) -> (usize, usize, usize) {
        let (token, head) = (row / self.shape.n_head, row % self.shape.n_head);
        let (h, i) = (head / self.per_key, token * self.per_key + head % self.per_key);
        let tile = i / self.per_tile;
        ((h * self.n_groups + tile % self.n_groups) * self.n_splits, tile / self.n_groups, i % self.per_tile)
    }

    /// Query i of key head h of `[n_tokens, n_head, head_dim]`. It belongs to token i / per_key.
    fn query<'q>(&self, q: &'q [f32], h: usize, i: usize) -> &'q [f32] {
        let head = h * self.per_key + i % self.per_key;
        &q[((i / self.per_key) * self.shape.n_head + head) * self.shape.head_dim..][..self.shape.head_dim]
    }

    /// Does a task.
    fn attend<V: Vector, H: Head>(&self, task: usize, q: &[f32], heads: &[H], found: &mut [f32]) {
        let (group, split) = (task / self.n_splits, task % self.n_splits);
        let (h, group) = (group / self.n_groups, group % self.n_groups);
        let head_dim = self.shape.head_dim;
        // Later tiles may see more, so every group has some of them: one takes about as long as another.
        let queries = (group * self.per_tile..self.n_queries).step_by(self.n_groups * self.per_tile);
        let unit = H::unit(queries.len());
        let tiles = queries.zip(found.chunks_exact_mut(Found::width(head_dim))).map(|(first, found)| {
            let queries = first..self.n_queries.min(first + self.per_tile);
            let rows = queries.clone().map(|i| self.query(q, h, i));
            let visible = queries.map(|i| self.shape.visible(self.start + i / self.per_key));
            let tile = Tile::new(Found::new(found, head_dim), rows, visible, self.shape.scale, unit);
            H::turn(tile.found.queries);
            tile
        });
        let mut tiles: Vec<Tile<'_>> = tiles.collect();
        let start = tiles.iter().map(|tile| tile.blocks().start).min().unwrap_or(0);
        let end = tiles.iter().map(|tile| tile.blocks().end).max().unwrap_or(0);
        let bound = |split: usize| start + (end - start) * split / self.n_splits;
        let mut floats = Floats::default();
        for block in bound(split)..bound(split + 1) {
            heads[h].attend::<V>(block, &mut tiles, &mut floats);
        }
    }
}

/// Eight numbers of a cache, as they are stored, or the floats that they have been converted to.
pub(super) trait Eight {
    /// The eight, of which [`Head::unit`] says what they must be multiplied by.
    fn load<V: Vector>(&self) -> (V::F, V::F);
}

impl Eight for [f32; STEP] {
    #[inline(always)]
    fn load<V: Vector>(&self) -> (V::F, V::F) {
        let ([low, high], _) = self.as_chunks() else { unreachable!("two fours are eight") };
        (V::load(low), V::load(high))
    }
}

/// Keys and values of a block, laid out as in [`super::cache`].
pub(super) struct Positions<'a, X> {
    pub(super) keys: &'a [X],
    pub(super) values: &'a [X],
}

/// A block as floats.
#[derive(Default)]
pub(super) struct Floats {
    pub(super) keys: Vec<[f32; STEP]>,
    pub(super) values: Vec<[f32; STEP]>,
}

impl Floats {
    /// Lets all tiles that see something of the block attend to it.
    pub(super) fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>]) {
        Positions { keys: &self.keys, values: &self.values }.attend::<V>(block, tiles);
    }
}

impl<X: Eight> Positions<'_, X> {
    /// Lets all tiles that see something of the block attend to it.
    pub(super) fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>]) {
        let see_it = |tile: &&mut Tile<'_>| tile.blocks().contains(&block);
        tiles.iter_mut().filter(see_it).for_each(|tile| tile.attend::<V, _>(block, self));
    }
}

/// Writes eight floats.
#[inline(always)]
pub(super) fn store<V: Vector>((low, high): (V::F, V::F), dst: &mut [f32; STEP]) {
    let ([first, second], _) = dst.as_chunks_mut() else { unreachable!("two fours are eight") };
    V::store(low, first);
    V::store(high, second);
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

/// A few queries of one key head.
pub(super) struct Tile<'a> {
    n_queries: usize,
    /// The positions that each of them sees; none starts or ends before the one before it.
    visible: [Range<usize>; QUERIES],
    /// [`Head::unit`].
    unit: f32,
    found: Found<'a>,
}

impl<'a> Tile<'a> {
    fn new<'q>(
        found: Found<'a>,
        rows: impl Iterator<Item = &'q [f32]>,
        visible: impl Iterator<Item = Range<usize>>,
        scale: f32,
        unit: f32,
    ) -> Self {
        let mut tile = Self { n_queries: 0, visible: Default::default(), unit, found };
        for (n, (row, visible)) in rows.zip(visible).enumerate() {
            for (query, x) in tile.found.queries.iter_mut().zip(row) {
                query[n] = (x * scale).clamp(-QUERY_MAX, QUERY_MAX) * unit;
            }
            tile.visible[n] = visible;
            tile.n_queries = n + 1;
        }
        tile.found.max.fill(f32::NEG_INFINITY);
        tile.found.sum.fill(0.0);
        tile.found.values.as_flattened_mut().fill(0.0);
        tile
    }

    fn end(&self) -> usize {
        self.visible[self.n_queries - 1].end
    }

    /// The blocks that it sees something of.
    fn blocks(&self) -> Range<usize> {
        self.visible[0].start / BLOCK..self.end().div_ceil(BLOCK)
    }

    fn attend<V: Vector, X: Eight>(&mut self, block: usize, positions: &Positions<'_, X>) {
        const { assert!(QUERIES == 6, "every number of queries has its arm") };
        match self.n_queries {
            1 => self.attend_with::<V, X, 1>(block, positions),
            2 => self.attend_with::<V, X, 2>(block, positions),
            3 => self.attend_with::<V, X, 3>(block, positions),
            4 => self.attend_with::<V, X, 4>(block, positions),
            5 => self.attend_with::<V, X, 5>(block, positions),
            _ => self.attend_with::<V, X, QUERIES>(block, positions),
        }
    }

    fn attend_with<V: Vector, X: Eight, const Q: usize>(&mut self, block: usize, positions: &Positions<'_, X>) {
        let block = block * BLOCK..self.end().min((block + 1) * BLOCK);
        let mut scores = [[0.0; BLOCK]; Q];
        let found = &mut self.found;
        score::<V, X, Q>(positions.keys, found.queries, block.len().div_ceil(STEP), &mut scores);
        let grown: [f32; Q] = from_fn(|n| {
            let visible = self.visible[n].start.max(block.start)..self.visible[n].end.min(block.end);
            soften::<V>(&mut scores[n], block.start, &visible, self.unit, &mut found.max[n], &mut found.sum[n])
        });
        weigh::<V, X, Q>(positions.values, scores.each_ref().map(|scores| &scores[..block.len()]), grown, found.values);
    }
}

/// scores[n][pos] = queries[n] · keys[pos], of so many times eight positions.
#[inline(always)]
fn score<V: Vector, X: Eight, const Q: usize>(
    keys: &[X],
    queries: &[[f32; QUERIES]],
    n_steps: usize,
    scores: &mut [[f32; BLOCK]; Q],
) {
    for (step, keys) in keys.chunks_exact(queries.len()).take(n_steps).enumerate() {
        let mut sums = [[V::splat(0.0); 2]; Q];
        for (key, query) in keys.iter().zip(queries) {
            let (low, high) = key.load::<V>();
            for n in 0..Q {
                let query = V::splat(query[n]);
                sums[n] = [V::mul_add(low, query, sums[n][0]), V::mul_add(high, query, sums[n][1])];
            }
        }
        for (sums, scores) in sums.into_iter().zip(&mut *scores) {
            store::<V>(sums.into(), &mut scores.as_chunks_mut().0[step]);
        }
    }
}

/// Scores of a query → weights relative to the new maximum, times the unit, 0 where it sees nothing. Returns what older weights
/// must be multiplied by.
#[inline(always)]
fn soften<V: Vector>(
    scores: &mut [f32; BLOCK],
    start: usize,
    visible: &Range<usize>,
    unit: f32,
    max: &mut f32,
    total: &mut f32,
) -> f32 {
    if visible.is_empty() {
        scores.fill(0.0);
        return 1.0;
    }
    let seen = visible.start - start..visible.end - start;
    let fill_unseen = |scores: &mut [f32; BLOCK], x| {
        scores[..seen.start].fill(x);
        scores[seen.end..].fill(x);
    };
    fill_unseen(scores, f32::NEG_INFINITY);
    let sixteens = scores.as_chunks_mut::<4>().0.as_chunks_mut::<4>().0;
    let larger = |maxima: [V::F; 4], fours: &[_; 4]| from_fn(|i| V::max(maxima[i], V::load(&fours[i])));
    let maxima = sixteens.iter().fold([V::splat(*max); 4], larger);
    let new_max = largest::<V>(V::max(V::max(maxima[0], maxima[1]), V::max(maxima[2], maxima[3])));
    let grown = if new_max == *max { 1.0 } else { (*max - new_max).exp() };
    *max = new_max;
    let mut new_total = V::splat(0.0);
    for fours in sixteens {
        let scores = fours.each_ref().map(|four| V::sub(V::load(four), V::splat(new_max)));
        for (four, weight) in fours.iter_mut().zip(exp::<V, 4>(scores)) {
            V::store(V::mul(weight, V::splat(unit)), four);
            new_total = V::add(new_total, weight);
        }
    }
    *total = *total * grown + sum::<V>(new_total);
    fill_unseen(scores, 0.0);
    grown
}

/// values[n] = values[n] · grown[n] + Σ weights[n][pos] · values[pos], eight elements at a time.
#[inline(always)]
fn weigh<V: Vector, X: Eight, const Q: usize>(
    values: &[X],
    weights: [&[f32]; Q],
    grown: [f32; Q],
    found: &mut [[f32; STEP]],
) {
    let (n_positions, per_value) = (weights[0].len(), found.len() / QUERIES);
    let weights = weights.map(|weights| &weights[..n_positions]);
    for (part, values) in values.chunks_exact(BLOCK).enumerate() {
        let mut sums: [[V::F; 2]; Q] = from_fn(|n| {
            let (low, high) = found[n * per_value + part].load::<V>();
            let grown = V::splat(grown[n]);
            [V::mul(low, grown), V::mul(high, grown)]
        });
        for (pos, value) in values[..n_positions].iter().enumerate() {
            let (low, high) = value.load::<V>();
            for n in 0..Q {
                let weight = V::splat(weights[n][pos]);
                sums[n] = [V::mul_add(low, weight, sums[n][0]), V::mul_add(high, weight, sums[n][1])];
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            store::<V>(sums.into(), &mut found[n * per_value + part]);
        }
    }
}

/// What one split found for one query.
struct Part<'a> {
    max: f32,
    sum: f32,
    values: &'a [f32],
}

impl<'a> Part<'a> {
    /// Query n's part of a [`Found`].
    fn of(floats: &'a [f32], head_dim: usize, n: usize) -> Self {
        let (_, rest) = floats.split_at(QUERIES * head_dim);
        let (max, rest) = rest.split_at(QUERIES);
        let (sum, values) = rest.split_at(QUERIES);
        Self { max: max[n], sum: sum[n], values: &values[n * head_dim.next_multiple_of(STEP)..][..head_dim] }
    }

    /// How much its values count beside those of splits with this maximum.
    fn weight(&self, max: f32) -> f32 {
        if self.sum > 0.0 { (self.max - max).exp() } else { 0.0 }
    }
}

/// dst = what the splits found, together.
fn merge<'a>(splits: impl Iterator<Item = Part<'a>> + Clone, dst: &mut [f32]) {
    let max = splits.clone().fold(f32::NEG_INFINITY, |max, part| max.max(part.max));
    let total: f32 = splits.clone().map(|part| part.weight(max) * part.sum).sum();
    dst.fill(0.0);
    for part in splits {
        let scale = part.weight(max) / total;
        dst.iter_mut().zip(part.values).for_each(|(dst, value)| *dst += scale * value);
    }
}
