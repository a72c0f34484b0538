//! Keys and values of one layer, as halves, laid out for attention.
//!
//! Keys of eight neighbouring positions are interleaved, so that a score of eight needs no horizontal addition; values
//! stand in rows, and eight of their elements are read at once.

use crate::plan::CacheInfo;
use half::f16;

/// Positions whose keys are interleaved; elements of a value that are read at once.
pub(super) const STEP: usize = 8;

/// What one head of keys and values holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// `[n / 8, head_dim, 8]`.
    pub(super) keys: Vec<[u16; STEP]>,
    /// `[n, head_dim / 8, 8]`, the last eight filled up with zeros.
    pub(super) values: Vec<[u16; STEP]>,
}

/// Keys and values of one layer.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    pub(super) heads: Vec<Head>,
    head_dim: usize,
    n_cached: usize,
}

impl Cache {
    pub(super) fn new(info: CacheInfo) -> Self {
        Self { heads: vec![Head::default(); info.n_head_kv], head_dim: info.head_dim, n_cached: 0 }
    }

    /// Forgets the positions from `start` on, and appends rows of k and v, `[n, n_head_kv · head_dim]`.
    pub(super) fn store(&mut self, start: usize, k: &[f32], v: &[f32]) {
        assert!(start <= self.n_cached, "a gap in the cache: {} cached, {start} next", self.n_cached);
        let head_dim = self.head_dim;
        let width = self.heads.len() * head_dim;
        self.n_cached = start + k.len() / width;
        let per_value = head_dim.div_ceil(STEP);
        for (h, head) in self.heads.iter_mut().enumerate() {
            head.keys.resize(self.n_cached.div_ceil(STEP) * head_dim, [0; STEP]);
            head.values.resize(self.n_cached * per_value, [0; STEP]);
            for (i, (k, v)) in k.chunks_exact(width).zip(v.chunks_exact(width)).enumerate() {
                let pos = start + i;
                let (k, v) = (&k[h * head_dim..][..head_dim], &v[h * head_dim..][..head_dim]);
                let keys = &mut head.keys[pos / STEP * head_dim..][..head_dim];
                keys.iter_mut().zip(k).for_each(|(keys, k)| keys[pos % STEP] = half(*k));
                let values = &mut head.values[pos * per_value..][..per_value];
                values.iter_mut().zip(v.chunks(STEP)).for_each(|(values, v)| {
                    values.iter_mut().zip(v).for_each(|(value, v)| *value = half(*v));
                });
            }
        }
    }
}

/// The nearest finite half: an infinite key would make every score of its head meaningless.
fn half(x: f32) -> u16 {
    f16::from_f32(x.clamp(-65504.0, 65504.0)).to_bits()
}
