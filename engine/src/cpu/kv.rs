//! Keys and values of one layer, laid out for attention.
//!
//! Keys of eight neighbouring positions are interleaved, so that a score of eight needs no horizontal addition; values
//! are cut into parts of eight elements, which are read at once, and the same part of all positions of a block stands
//! together. How numbers are kept is what differs between [`Head`]s. Of a window only a ring of whole blocks is kept: position p
//! in slot p % `n_slots`.

mod f16;
mod hadamard;
mod q8_0;

use super::attention::tile::{BLOCK, BlockF32, QUERIES, STEP, Tile};
use super::pool::Pool;
use super::vector::Vector;
use crate::plan::Kv;
use crate::protocol::CacheType;
pub(super) use f16::F16;
pub(super) use q8_0::Q8_0;

/// Keys and values of one layer, kept in one way or the other.
#[derive(Debug, Clone)]
pub(super) enum KvCache {
    F16(Heads<F16>),
    Q8_0(Heads<Q8_0>),
}

impl KvCache {
    /// An empty cache with room for `n_slots` positions, that keeps numbers this way.
    pub(super) fn new(kv: Kv, n_slots: usize, cache_type: CacheType) -> Self {
        match cache_type {
            CacheType::F16 => Self::F16(Heads::new(kv, n_slots)),
            CacheType::Q8_0 => Self::Q8_0(Heads::new(kv, n_slots)),
        }
    }

    /// Keeps rows of k and v, `[n, n_head_kv · head_dim]`, of the positions from `start` on; what was after these is forgotten.
    pub(super) fn store(&mut self, pool: &Pool, start: usize, k: &[f32], v: &[f32]) {
        match self {
            Self::F16(heads) => heads.store(pool, start, k, v),
            Self::Q8_0(heads) => heads.store(pool, start, k, v),
        }
    }

    /// All bytes of the first `n_written` positions, of as many as there is room for.
    pub(super) fn parts(&mut self, n_written: usize) -> Vec<&mut [u8]> {
        match self {
            Self::F16(heads) => heads.parts(n_written),
            Self::Q8_0(heads) => heads.parts(n_written),
        }
    }

    /// Bytes that it has taken.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::F16(heads) => heads.heads.iter().map(Head::bytes).sum(),
            Self::Q8_0(heads) => heads.heads.iter().map(Head::bytes).sum(),
        }
    }
}

/// Keys and values of one head.
pub(super) trait Head: Clone + std::fmt::Debug + Send + Sync {
    /// None yet.
    fn new(head_dim: usize) -> Self;

    /// Makes it hold n positions, and forgets what is behind them; where it has to grow, to `room` positions.
    fn resize(&mut self, n: usize, room: usize);

    /// Keeps key and value in a slot that there is room for.
    fn put(&mut self, slot: usize, k: &[f32], v: &[f32]);

    /// Bytes that it has taken.
    fn bytes(&self) -> usize;

    /// All that it holds.
    fn parts(&mut self) -> Vec<&mut [u8]>;

    /// What the numbers that so many tiles attend to must be multiplied by.
    fn prescale(n_tiles: usize) -> f32;

    /// Rotates queries that stand beside each other as keys are rotated before they are kept, if they are.
    fn rotate(_: &mut [[f32; QUERIES]]) {}

    /// Lets all tiles that see something of a block attend to it; it is kept in the room of block `stored`. `floats` is room to
    /// convert it in.
    fn attend<V: Vector>(&self, block: usize, stored: usize, tiles: &mut [Tile<'_>], floats: &mut BlockF32);
}

/// Positions that there is new room for at once.
const GROWTH: usize = 512;

/// Makes `x` take `len` for each of `n` steps of positions; if it has to grow, it gets room for `room` of them. A vector would
/// double its room, which nobody reckons with.
fn resize<T: Clone>(x: &mut Vec<T>, n: usize, room: usize, len: usize, value: T) {
    if n * len > x.capacity() {
        x.reserve_exact(room * len - x.len());
    }
    x.resize(n * len, value);
}

/// Bytes that a vector has taken.
fn bytes<T>(x: &Vec<T>) -> usize {
    x.capacity() * size_of::<T>()
}

/// A block's part of what takes `len` for a block.
fn block_of<T>(x: &[T], block: usize, len: usize) -> &[T] {
    &x[block * len..x.len().min((block + 1) * len)]
}

/// The parts of a slot's value.
fn parts_of<T>(values: &mut [[T; STEP]], slot: usize, head_dim: usize) -> impl Iterator<Item = &mut [T; STEP]> {
    let len = BLOCK * head_dim.div_ceil(STEP);
    values[slot / BLOCK * len..][..len].iter_mut().skip(slot % BLOCK).step_by(BLOCK)
}

/// All heads of a layer.
#[derive(Debug, Clone)]
pub(super) struct Heads<H> {
    heads: Vec<H>,
    head_dim: usize,
    /// Positions that there is room for: whole blocks.
    n_slots: usize,
}

impl<H: Head> Heads<H> {
    fn new(kv: Kv, n_slots: usize) -> Self {
        let heads = vec![H::new(kv.k_dim); kv.n_head_kv];
        Self { heads, head_dim: kv.k_dim, n_slots: n_slots.next_multiple_of(BLOCK) }
    }

    fn store(&mut self, pool: &Pool, start: usize, k: &[f32], v: &[f32]) {
        let (head_dim, n_slots) = (self.head_dim, self.n_slots);
        let width = self.heads.len() * head_dim;
        // Not in a task: if memory runs out here, this thread can say so.
        self.resize(start + k.len() / width);
        let put = |first: usize, heads: &mut [H]| {
            for (h, head) in (first..).zip(heads) {
                for (i, (k, v)) in k.chunks_exact(width).zip(v.chunks_exact(width)).enumerate() {
                    head.put((start + i) % n_slots, &k[h * head_dim..][..head_dim], &v[h * head_dim..][..head_dim]);
                }
            }
        };
        if k.len() == width {
            put(0, &mut self.heads);
        } else {
            pool.rows(&mut self.heads, 1, put);
        }
    }

    /// Makes it hold the first `n_written` positions, or as many as there is room for.
    fn resize(&mut self, n_written: usize) {
        let n_held = n_written.min(self.n_slots);
        let room = n_held.next_multiple_of(GROWTH).min(self.n_slots);
        self.heads.iter_mut().for_each(|head| head.resize(n_held, room));
    }

    fn parts(&mut self, n_written: usize) -> Vec<&mut [u8]> {
        self.resize(n_written);
        self.heads.iter_mut().flat_map(Head::parts).collect()
    }

    /// Lets all tiles that see something of a block of head `h` attend to it.
    pub(super) fn attend<V: Vector>(&self, h: usize, block: usize, tiles: &mut [Tile<'_>], floats: &mut BlockF32) {
        self.heads[h].attend::<V>(block, block % (self.n_slots / BLOCK), tiles, floats);
    }
}
