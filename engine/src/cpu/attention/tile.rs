//! A tile of queries and a block of positions: scores, softmax with a running maximum, and the weighted sum of values.
//!
//! Keys of eight neighbouring positions are interleaved, so that a score of eight needs no horizontal addition; values
//! are cut into parts of eight elements, which are read at once, and the same part of all positions of a block stands
//! together. How numbers are kept is what [`Eight`] hides.
//! <https://arxiv.org/abs/2205.14135>

use super::super::vector::{Vector, exp, largest, sum};
use std::array::from_fn;
use std::ops::Range;

/// Positions whose keys are interleaved; elements of a value that are read at once.
pub(in crate::cpu) const STEP: usize = 8;

/// Queries that one pass over the keys serves: as many as the registers hold sums for.
pub(in crate::cpu) const QUERIES: usize = 6;

/// Positions of a block.
pub(in crate::cpu) const BLOCK: usize = 64;

/// Scaled queries are cut off here, so that they stay finite times a prescale of 2¹¹².
const QUERY_MAX: f32 = 32000.0;

/// Eight numbers of a cache, as they are stored, or the floats that they have been converted to.
pub(in crate::cpu) trait Eight {
    /// The eight, of which [`Head::prescale`] says what they must be multiplied by.
    fn load<V: Vector>(&self) -> (V::F, V::F);
}

impl Eight for [f32; STEP] {
    #[inline(always)]
    fn load<V: Vector>(&self) -> (V::F, V::F) {
        let ([low, high], _) = self.as_chunks() else { unreachable!("two fours are eight") };
        (V::load(low), V::load(high))
    }
}

/// Keys and values of a block, laid out as the module says.
pub(in crate::cpu) struct Positions<'a, X> {
    pub(in crate::cpu) keys: &'a [X],
    pub(in crate::cpu) values: &'a [X],
}

/// A block as floats.
#[derive(Default)]
pub(in crate::cpu) struct BlockF32 {
    pub(in crate::cpu) keys: Vec<[f32; STEP]>,
    pub(in crate::cpu) values: Vec<[f32; STEP]>,
}

impl BlockF32 {
    /// Lets all tiles that see something of the block attend to it.
    pub(in crate::cpu) fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>]) {
        Positions { keys: &self.keys, values: &self.values }.attend::<V>(block, tiles);
    }
}

impl<X: Eight> Positions<'_, X> {
    /// Lets all tiles that see something of the block attend to it.
    pub(in crate::cpu) fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>]) {
        let see_it = |tile: &&mut Tile<'_>| tile.blocks().contains(&block);
        tiles.iter_mut().filter(see_it).for_each(|tile| tile.attend::<V, _>(block, self));
    }
}

/// Writes eight floats.
#[inline(always)]
pub(in crate::cpu) fn store<V: Vector>((low, high): (V::F, V::F), dst: &mut [f32; STEP]) {
    let ([first, second], _) = dst.as_chunks_mut() else { unreachable!("two fours are eight") };
    V::store(low, first);
    V::store(high, second);
}

/// Of one tile of queries and some positions: softmax and weighted values, not yet divided by the sum.
pub(in crate::cpu) struct AttentionPartials<'a> {
    /// The scaled queries beside each other.
    queries: &'a mut [[f32; QUERIES]],
    max: &'a mut [f32; QUERIES],
    sum: &'a mut [f32; QUERIES],
    /// `[QUERIES, head_dim / 8, 8]`.
    values: &'a mut [[f32; STEP]],
}

impl<'a> AttentionPartials<'a> {
    pub(in crate::cpu) fn width(head_dim: usize) -> usize {
        QUERIES * (head_dim + 2 + head_dim.next_multiple_of(STEP))
    }

    pub(in crate::cpu) fn new(floats: &'a mut [f32], head_dim: usize) -> Self {
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
pub(in crate::cpu) struct Tile<'a> {
    n_queries: usize,
    /// The positions that each of them sees; none starts or ends before the one before it.
    visible: [Range<usize>; QUERIES],
    /// [`Head::prescale`].
    prescale: f32,
    partials: AttentionPartials<'a>,
}

impl<'a> Tile<'a> {
    pub(in crate::cpu) fn new<'q>(
        partials: AttentionPartials<'a>,
        rows: impl Iterator<Item = &'q [f32]>,
        visible: impl Iterator<Item = Range<usize>>,
        scale: f32,
        prescale: f32,
    ) -> Self {
        let mut tile = Self { n_queries: 0, visible: Default::default(), prescale, partials };
        for (n, (row, visible)) in rows.zip(visible).enumerate() {
            for (query, x) in tile.partials.queries.iter_mut().zip(row) {
                query[n] = (x * scale).clamp(-QUERY_MAX, QUERY_MAX) * prescale;
            }
            tile.visible[n] = visible;
            tile.n_queries = n + 1;
        }
        tile.partials.max.fill(f32::NEG_INFINITY);
        tile.partials.sum.fill(0.0);
        tile.partials.values.as_flattened_mut().fill(0.0);
        tile
    }

    fn end(&self) -> usize {
        self.visible[self.n_queries - 1].end
    }

    /// The scaled queries beside each other, `[head_dim]`.
    pub(in crate::cpu) fn queries(&mut self) -> &mut [[f32; QUERIES]] {
        self.partials.queries
    }

    /// The blocks that it sees something of.
    pub(in crate::cpu) fn blocks(&self) -> Range<usize> {
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
        let partials = &mut self.partials;
        score::<V, X, Q>(positions.keys, partials.queries, block.len().div_ceil(STEP), &mut scores);
        let rescale: [f32; Q] = from_fn(|n| {
            let visible = self.visible[n].start.max(block.start)..self.visible[n].end.min(block.end);
            softmax_block::<V>(
                &mut scores[n],
                block.start,
                &visible,
                self.prescale,
                &mut partials.max[n],
                &mut partials.sum[n],
            )
        });
        accumulate_values::<V, X, Q>(
            positions.values,
            scores.each_ref().map(|scores| &scores[..block.len()]),
            rescale,
            partials.values,
        );
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

/// Scores of a query → weights relative to the new maximum, times the prescale, 0 where it sees nothing. Returns what older weights
/// must be multiplied by.
#[inline(always)]
fn softmax_block<V: Vector>(
    scores: &mut [f32; BLOCK],
    start: usize,
    visible: &Range<usize>,
    prescale: f32,
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
    let rescale = if new_max == *max { 1.0 } else { (*max - new_max).exp() };
    *max = new_max;
    let mut new_total = V::splat(0.0);
    for fours in sixteens {
        let scores = fours.each_ref().map(|four| V::sub(V::load(four), V::splat(new_max)));
        for (four, weight) in fours.iter_mut().zip(exp::<V, 4>(scores)) {
            V::store(V::mul(weight, V::splat(prescale)), four);
            new_total = V::add(new_total, weight);
        }
    }
    *total = *total * rescale + sum::<V>(new_total);
    fill_unseen(scores, 0.0);
    rescale
}

/// values[n] = values[n] · rescale[n] + Σ weights[n][pos] · values[pos], eight elements at a time.
#[inline(always)]
fn accumulate_values<V: Vector, X: Eight, const Q: usize>(
    values: &[X],
    weights: [&[f32]; Q],
    rescale: [f32; Q],
    partials: &mut [[f32; STEP]],
) {
    let (n_positions, per_value) = (weights[0].len(), partials.len() / QUERIES);
    let weights = weights.map(|weights| &weights[..n_positions]);
    for (part, values) in values.chunks_exact(BLOCK).enumerate() {
        let mut sums: [[V::F; 2]; Q] = from_fn(|n| {
            let (low, high) = partials[n * per_value + part].load::<V>();
            let rescale = V::splat(rescale[n]);
            [V::mul(low, rescale), V::mul(high, rescale)]
        });
        for (pos, value) in values[..n_positions].iter().enumerate() {
            let (low, high) = value.load::<V>();
            for n in 0..Q {
                let weight = V::splat(weights[n][pos]);
                sums[n] = [V::mul_add(low, weight, sums[n][0]), V::mul_add(high, weight, sums[n][1])];
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            store::<V>(sums.into(), &mut partials[n * per_value + part]);
        }
    }
}

/// What one split found for one query.
pub(in crate::cpu) struct Part<'a> {
    max: f32,
    sum: f32,
    values: &'a [f32],
}

impl<'a> Part<'a> {
    /// Query n's part of a [`AttentionPartials`].
    pub(in crate::cpu) fn of(floats: &'a [f32], head_dim: usize, n: usize) -> Self {
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
pub(in crate::cpu) fn merge<'a>(splits: impl Iterator<Item = Part<'a>> + Clone, dst: &mut [f32]) {
    let max = splits.clone().fold(f32::NEG_INFINITY, |max, part| max.max(part.max));
    let total: f32 = splits.clone().map(|part| part.weight(max) * part.sum).sum();
    dst.fill(0.0);
    for part in splits {
        let scale = part.weight(max) / total;
        dst.iter_mut().zip(part.values).for_each(|(dst, value)| *dst += scale * value);
    }
}
