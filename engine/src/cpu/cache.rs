//! Keys and values of one layer, as halves, laid out for attention.
//!
//! Keys of eight neighbouring positions are interleaved, so that a score of eight needs no horizontal addition; values
//! stand in rows, and eight of their elements are read at once.

use super::pool::Pool;
use super::vector::HALF_SCALE;
use crate::plan::CacheInfo;

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
    pub(super) fn store(&mut self, pool: &Pool, start: usize, k: &[f32], v: &[f32]) {
        assert!(start <= self.n_cached, "a gap in the cache: {} cached, {start} next", self.n_cached);
        let (head_dim, n_head_kv) = (self.head_dim, self.heads.len());
        let width = n_head_kv * head_dim;
        let n_cached = start + k.len() / width;
        self.n_cached = n_cached;
        let per_value = head_dim.div_ceil(STEP);
        pool.rows(&mut self.heads, 1, |first, heads| {
            for (h, head) in (first..).zip(heads) {
                head.keys.resize(n_cached.div_ceil(STEP) * head_dim, [0; STEP]);
                head.values.resize(n_cached * per_value, [0; STEP]);
                for (i, (k, v)) in k.chunks_exact(width).zip(v.chunks_exact(width)).enumerate() {
                    let pos = start + i;
                    let (k, v) = (&k[h * head_dim..][..head_dim], &v[h * head_dim..][..head_dim]);
                    let keys = &mut head.keys[pos / STEP * head_dim..][..head_dim];
                    keys.iter_mut().zip(k).for_each(|(keys, k)| keys[pos % STEP] = half(*k));
                    let values = head.values[pos * per_value..][..per_value].as_flattened_mut();
                    values.iter_mut().zip(v).for_each(|(value, v)| *value = half(*v));
                }
            }
        });
    }
}

/// The largest finite half.
const HALF_MAX: f32 = 65504.0;

/// The nearest finite half: an infinite key would make every score of its head meaningless. Ties go to the even one, except
/// that a subnormal half may be rounded twice.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is zero")]
fn half(x: f32) -> u16 {
    let bits = x.to_bits();
    // Times 2⁻¹¹², the exponent is where a half has it, 13 bits higher; a subnormal half becomes a subnormal float.
    let magnitude = (f32::from_bits(bits & 0x7fff_ffff).min(HALF_MAX) / HALF_SCALE).to_bits();
    let rounded = (magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13;
    (bits >> 16 & 0x8000) as u16 | rounded as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn halves_are_the_nearest() {
        for bits in (0..0x7c00_u16).chain(0x8000..0xfc00) {
            let x = f16::from_bits(bits).to_f32();
            assert_eq!(half(x), bits);
            let next = f16::from_bits(bits + 1).to_f32();
            for part in [0.1, 0.4999, 0.5, 0.5001, 0.9] {
                let between = if next.is_finite() { x + part * (next - x) } else { x };
                assert_eq!(half(between), f16::from_f32(between).to_bits(), "{between}");
            }
        }
    }

    #[test]
    fn what_is_too_large_stays_finite() {
        for x in [65520.0, 1e9, f32::INFINITY] {
            assert_eq!((half(x), half(-x)), (0x7bff, 0xfbff));
        }
    }
}
