//! Attention over the cache: a few queries of one key head at a time, so that a key is converted once for all of them.
//!
//! Positions are taken by blocks, with a running maximum (<https://arxiv.org/abs/2205.14135>), so that scores never leave
//! the first-level cache, and a long cache can be shared out between threads.

pub(super) mod tile;

use super::kv::{F16, Head, Heads, KvCache, Q8_0};
use super::pool::Pool;
use super::vector::Vector;
use crate::plan::op::AttentionShape;
use tile::{AttentionPartials, BLOCK, BlockF32, Part, QUERIES, Tile, merge};

/// Tiles of queries that take a block one after the other, so that it is converted once for all.
const TILES: usize = 16;

/// What each task found, kept between calls.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<f32>);

/// How attention is cut into tasks: by key heads, then by tiles of queries, some together, then by positions.
struct Cut<'a> {
    shape: &'a AttentionShape,
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
pub(super) fn attention<V: Vector>(
    pool: &Pool,
    q: &[f32],
    kv: &KvCache,
    shape: &AttentionShape,
    start: usize,
    scratch: &mut Scratch,
    dst: &mut [f32],
) {
    match kv {
        KvCache::F16(heads) => attend_to::<V, F16>(pool, q, heads, shape, start, scratch, dst),
        KvCache::Q8_0(heads) => attend_to::<V, Q8_0>(pool, q, heads, shape, start, scratch, dst),
    }
}

fn attend_to<V: Vector, H: Head>(
    pool: &Pool,
    q: &[f32],
    kv: &Heads<H>,
    shape: &AttentionShape,
    start: usize,
    scratch: &mut Scratch,
    dst: &mut [f32],
) {
    let head_dim = shape.head_dim;
    let n_tokens = q.len() / (shape.n_head * head_dim);
    let cut = Cut::new(shape, start, n_tokens, pool.n_threads());
    let width = cut.n_tiles * AttentionPartials::width(head_dim);
    scratch.0.resize(shape.n_head_kv * cut.n_groups * cut.n_splits * width, 0.0);
    pool.rows(&mut scratch.0, width, |first, rows| {
        for (task, partials) in (first..).zip(rows.chunks_exact_mut(width)) {
            cut.attend::<V, H>(task, q, kv, partials);
        }
    });
    let partials = &scratch.0;
    let merge_rows = |first: usize, rows: &mut [f32]| {
        for (row, dst) in (first..).zip(rows.chunks_exact_mut(head_dim)) {
            let (task, tile, n) = cut.place(row);
            let splits = partials[task * width..][..cut.n_splits * width].chunks_exact(width);
            merge(
                splits.map(|partials| Part::of(&partials[tile * AttentionPartials::width(head_dim)..], head_dim, n)),
                dst,
            );
        }
    };
    if n_tokens == 1 {
        merge_rows(0, dst); // One token's are too few to share.
    } else {
        pool.rows(dst, head_dim, merge_rows);
    }
}

impl<'a> Cut<'a> {
    fn new(shape: &'a AttentionShape, start: usize, n_tokens: usize, n_threads: usize) -> Self {
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
    fn attend<V: Vector, H: Head>(&self, task: usize, q: &[f32], kv: &Heads<H>, partials: &mut [f32]) {
        let (group, split) = (task / self.n_splits, task % self.n_splits);
        let (h, group) = (group / self.n_groups, group % self.n_groups);
        let head_dim = self.shape.head_dim;
        // Later tiles may see more, so every group has some of them: one takes about as long as another.
        let queries = (group * self.per_tile..self.n_queries).step_by(self.n_groups * self.per_tile);
        let prescale = H::prescale(queries.len());
        let tiles =
            queries.zip(partials.chunks_exact_mut(AttentionPartials::width(head_dim))).map(|(first, partials)| {
                let queries = first..self.n_queries.min(first + self.per_tile);
                let rows = queries.clone().map(|i| self.query(q, h, i));
                let visible = queries.map(|i| self.shape.visible(self.start + i / self.per_key));
                let mut tile =
                    Tile::new(AttentionPartials::new(partials, head_dim), rows, visible, self.shape.scale, prescale);
                H::rotate(tile.queries());
                tile
            });
        let mut tiles: Vec<Tile<'_>> = tiles.collect();
        let start = tiles.iter().map(|tile| tile.blocks().start).min().unwrap_or(0);
        let end = tiles.iter().map(|tile| tile.blocks().end).max().unwrap_or(0);
        let bound = |split: usize| start + (end - start) * split / self.n_splits;
        let mut floats = BlockF32::default();
        for block in bound(split)..bound(split + 1) {
            kv.attend::<V>(h, block, &mut tiles, &mut floats);
        }
    }
}
