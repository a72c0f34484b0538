//! Keys and values as halves.

use super::super::attention::{BLOCK, Eight, Floats, Positions, Tile, store};
use super::super::vector::{HALF_SCALE, Vector, fetch};
use super::{Head, STEP, block_of, parts_of, resize};

/// For so many tiles, a block is converted to floats first.
const TILES_MIN: usize = 3;

/// Keys and values of one head.
#[derive(Debug, Clone)]
pub(super) struct Halves {
    head_dim: usize,
    /// `[n / 8, head_dim, 8]`.
    keys: Vec<[u16; STEP]>,
    /// `[n / 64, head_dim / 8, 64, 8]`, the last eight filled up with zeros.
    values: Vec<[u16; STEP]>,
}

impl Halves {
    fn block(&self, block: usize) -> Positions<'_, [u16; STEP]> {
        Positions {
            keys: block_of(&self.keys, block, BLOCK / STEP * self.head_dim),
            values: block_of(&self.values, block, BLOCK * self.head_dim.div_ceil(STEP)),
        }
    }
}

impl Head for Halves {
    fn new(head_dim: usize) -> Self {
        Self { head_dim, keys: Vec::new(), values: Vec::new() }
    }

    fn resize(&mut self, n: usize) {
        resize(&mut self.keys, n.div_ceil(STEP), STEP, self.head_dim, [0; STEP]);
        resize(&mut self.values, n.div_ceil(BLOCK), BLOCK, BLOCK * self.head_dim.div_ceil(STEP), [0; STEP]);
    }

    fn put(&mut self, pos: usize, k: &[f32], v: &[f32]) {
        let keys = &mut self.keys[pos / STEP * self.head_dim..][..self.head_dim];
        keys.iter_mut().zip(k).for_each(|(keys, k)| keys[pos % STEP] = half(*k));
        for (value, v) in parts_of(&mut self.values, pos, self.head_dim).zip(v.chunks(STEP)) {
            value.iter_mut().zip(v).for_each(|(value, v)| *value = half(*v));
        }
    }

    fn unit(n_tiles: usize) -> f32 {
        if n_tiles < TILES_MIN { HALF_SCALE } else { 1.0 }
    }

    fn attend<V: Vector>(&self, block: usize, tiles: &mut [Tile<'_>], floats: &mut Floats) {
        let halves = self.block(block);
        if tiles.len() < TILES_MIN {
            // In a reply it has not been read since the last token, and all weights have been, meanwhile.
            fetch(halves.keys);
            fetch(halves.values);
            halves.attend::<V>(block, tiles);
            return;
        }
        let unit = V::splat(HALF_SCALE);
        for (halves, floats) in [(halves.keys, &mut floats.keys), (halves.values, &mut floats.values)] {
            floats.resize(halves.len(), [0.0; STEP]);
            for (halves, floats) in halves.iter().zip(floats) {
                let (low, high) = V::load_halves(halves);
                store::<V>((V::mul(low, unit), V::mul(high, unit)), floats);
            }
        }
        floats.attend::<V>(block, tiles);
    }
}

impl Eight for [u16; STEP] {
    #[inline(always)]
    fn load<V: Vector>(&self) -> (V::F, V::F) {
        V::load_halves(self)
    }
}

/// The largest finite half.
pub(super) const HALF_MAX: f32 = 65504.0;

/// The nearest finite half: an infinite key would make every score of its head meaningless. Ties go to the even one, except
/// that a subnormal half may be rounded twice.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is zero")]
pub(super) fn half(x: f32) -> u16 {
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
