//! Keys and values of one layer, laid out for attention.
//!
//! Keys of eight neighbouring positions are interleaved, so that a score of eight needs no horizontal addition; values
//! are cut into parts of eight elements, which are read at once, and the same part of all positions of a block stands
//! together. How numbers are kept is what differs between [`Head`]s.

mod bytes;
mod halves;
mod turn;

use super::attention::{BLOCK, Floats, QUERIES, Scratch, Tile, attention};
use super::pool::Pool;
use super::vector::{NativeSimd, Vector};
use crate::plan::Kv;
use crate::protocol::CacheType;
use crate::reference::Attention;
use bytes::Bytes;
use halves::Halves;

/// Positions whose keys are interleaved; elements of a value that are read at once.
pub(super) const STEP: usize = 8;

/// Keys and values of one layer.
pub(super) trait Cache: std::fmt::Debug + Send + Sync {
    /// Forgets the positions from `start` on, and appends rows of k and v, `[n, n_head_kv · head_dim]`.
    fn store(&mut self, pool: &Pool, start: usize, k: &[f32], v: &[f32]);

    /// See [`crate::reference::attention`].
    fn attention(
        &self,
        pool: &Pool,
        q: &[f32],
        shape: &Attention,
        start: usize,
        scratch: &mut Scratch,
        dst: &mut [f32],
    );
}

/// An empty cache that keeps numbers this way.
pub(super) fn new(kv: Kv, cache_type: CacheType) -> Box<dyn Cache> {
    match cache_type {
        CacheType::F16 => Box::new(Heads::<Halves>::new(kv)),
        CacheType::Q8_0 => Box::new(Heads::<Bytes>::new(kv)),
    }
}

/// Keys and values of one head.
pub(super) trait Head: Clone + std::fmt::Debug + Send + Sync {
    /// None yet.
    fn new(head_dim: usize) -> Self;

    /// Makes room for n positions, and forgets what is behind them.
    fn resize(&mut self, n: usize);

    /// Keeps key and value of a position that there is room for.
    fn put(&mut self, pos: usize, k: &[f32], v: &[f32]);

    /// What the numbers that so many tiles attend to must be multiplied by.
    fn unit(n_tiles: usize) -> f32;

    /// Turns queries that stand beside each other as keys are turned before they are kept, if they are.
    fn turn(_: &mut [[f32; QUERIES]]) {}

    /// Lets all tiles that see something of a block attend to it. `floats` is room to convert it in.
    fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>], floats: &mut Floats);
}

/// Positions that there is new room for at once.
const GROWTH: usize = 512;

/// Makes `x` take `len` for each of `n` steps of positions. A vector would double its room, which nobody reckons with.
fn resize<T: Clone>(x: &mut Vec<T>, n: usize, steps: usize, len: usize, value: T) {
    if n * len > x.capacity() {
        x.reserve_exact(n.next_multiple_of(GROWTH / steps) * len - x.len());
    }
    x.resize(n * len, value);
}

/// A block's part of what takes `len` for a block.
fn block_of<T>(x: &[T], block: usize, len: usize) -> &[T] {
    &x[block * len..x.len().min((block + 1) * len)]
}

/// The parts of a position's value.
fn parts_of<T>(values: &mut [[T; STEP]], pos: usize, head_dim: usize) -> impl Iterator<Item = &mut [T; STEP]> {
    let len = BLOCK * head_dim.div_ceil(STEP);
    values[pos / BLOCK * len..][..len].iter_mut().skip(pos % BLOCK).step_by(BLOCK)
}

/// All heads of a layer.
#[derive(Debug, Clone)]
struct Heads<H> {
    heads: Vec<H>,
    head_dim: usize,
    n_cached: usize,
}

impl<H: Head> Heads<H> {
    fn new(kv: Kv) -> Self {
        Self { heads: vec![H::new(kv.k_dim); kv.n_head_kv], head_dim: kv.k_dim, n_cached: 0 }
    }
}

impl<H: Head> Cache for Heads<H> {
    fn store(&mut self, pool: &Pool, start: usize, k: &[f32], v: &[f32]) {
        assert!(start <= self.n_cached, "a gap in the cache: {} cached, {start} next", self.n_cached);
        let head_dim = self.head_dim;
        let width = self.heads.len() * head_dim;
        let n_cached = start + k.len() / width;
        self.n_cached = n_cached;
        // Not in a task: if memory runs out here, this thread can say so.
        self.heads.iter_mut().for_each(|head| head.resize(n_cached));
        let put = |first: usize, heads: &mut [H]| {
            for (h, head) in (first..).zip(heads) {
                for (i, (k, v)) in k.chunks_exact(width).zip(v.chunks_exact(width)).enumerate() {
                    head.put(start + i, &k[h * head_dim..][..head_dim], &v[h * head_dim..][..head_dim]);
                }
            }
        };
        if k.len() == width {
            put(0, &mut self.heads);
        } else {
            pool.rows(&mut self.heads, 1, put);
        }
    }

    fn attention(
        &self,
        pool: &Pool,
        q: &[f32],
        shape: &Attention,
        start: usize,
        scratch: &mut Scratch,
        dst: &mut [f32],
    ) {
        attention::<NativeSimd, H>(pool, q, &self.heads, shape, start, scratch, dst);
    }
}
