//! Keys and values as f16.

use super::super::attention::tile::{BLOCK, BlockF32, Eight, Positions, STEP, Tile, store};
use super::super::vector::{HALF_SCALE, Vector, fetch};
use super::{Head, block_of, bytes, parts_of, resize};

/// For so many tiles, a block is converted to floats first.
const TILES_MIN: usize = 3;

/// Keys and values of one head.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct F16 {
    head_dim: usize,
    /// `[n / 8, head_dim, 8]`.
    keys: Vec<[u16; STEP]>,
    /// `[n / 64, head_dim / 8, 64, 8]`, the last eight filled up with zeros.
    values: Vec<[u16; STEP]>,
}

impl F16 {
    fn block(&self, block: usize) -> Positions<'_, [u16; STEP]> {
        Positions {
            keys: block_of(&self.keys, block, BLOCK / STEP * self.head_dim),
            values: block_of(&self.values, block, BLOCK * self.head_dim.div_ceil(STEP)),
        }
    }
}

impl Head for F16 {
    fn new(head_dim: usize) -> Self {
        Self { head_dim, keys: Vec::new(), values: Vec::new() }
    }

    fn resize(&mut self, n: usize, room: usize) {
        resize(&mut self.keys, n.div_ceil(STEP), room.div_ceil(STEP), self.head_dim, [0; STEP]);
        let len = BLOCK * self.head_dim.div_ceil(STEP);
        resize(&mut self.values, n.div_ceil(BLOCK), room.div_ceil(BLOCK), len, [0; STEP]);
    }

    fn put(&mut self, slot: usize, k: &[f32], v: &[f32]) {
        let keys = &mut self.keys[slot / STEP * self.head_dim..][..self.head_dim];
        keys.iter_mut().zip(k).for_each(|(keys, k)| keys[slot % STEP] = to_f16(*k));
        for (value, v) in parts_of(&mut self.values, slot, self.head_dim).zip(v.chunks(STEP)) {
            value.iter_mut().zip(v).for_each(|(value, v)| *value = to_f16(*v));
        }
    }

    fn bytes(&self) -> usize {
        bytes(&self.keys) + bytes(&self.values)
    }

    fn parts(&mut self) -> Vec<&mut [u8]> {
        vec![bytemuck::cast_slice_mut(&mut self.keys), bytemuck::cast_slice_mut(&mut self.values)]
    }

    fn prescale(n_tiles: usize) -> f32 {
        if n_tiles < TILES_MIN { HALF_SCALE } else { 1.0 }
    }

    fn attend<V: Vector>(&self, block: usize, stored: usize, tiles: &mut [Tile<'_>], floats: &mut BlockF32) {
        let halves = self.block(stored);
        if tiles.len() < TILES_MIN {
            // In a reply it has not been read since the last token, and all weights have been, meanwhile.
            fetch(halves.keys);
            fetch(halves.values);
            halves.attend::<V>(block, tiles);
            return;
        }
        let prescale = V::splat(HALF_SCALE);
        for (halves, floats) in [(halves.keys, &mut floats.keys), (halves.values, &mut floats.values)] {
            floats.resize(halves.len(), [0.0; STEP]);
            for (halves, floats) in halves.iter().zip(floats) {
                let (low, high) = V::load_halves(halves);
                store::<V>((V::mul(low, prescale), V::mul(high, prescale)), floats);
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

/// The largest finite f16.
pub(super) const F16_MAX: f32 = 65504.0;

/// The nearest finite f16: an infinite key would make every score of its head meaningless. Ties go to the even one, except
/// that a subnormal f16 may be rounded twice.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "what is cut off is zero")]
pub(super) fn to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    // Times 2⁻¹¹², the exponent is where an f16 has it, 13 bits higher; a subnormal f16 becomes a subnormal float.
    let magnitude = (f32::from_bits(bits & 0x7fff_ffff).min(F16_MAX) / HALF_SCALE).to_bits();
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
    fn f16_is_the_nearest() {
        for bits in (0..0x7c00_u16).chain(0x8000..0xfc00) {
            let x = f16::from_bits(bits).to_f32();
            assert_eq!(to_f16(x), bits);
            let next = f16::from_bits(bits + 1).to_f32();
            for part in [0.1, 0.4999, 0.5, 0.5001, 0.9] {
                let between = if next.is_finite() { x + part * (next - x) } else { x };
                assert_eq!(to_f16(between), f16::from_f32(between).to_bits(), "{between}");
            }
        }
    }

    #[test]
    fn what_is_too_large_stays_finite() {
        for x in [65520.0, 1e9, f32::INFINITY] {
            assert_eq!((to_f16(x), to_f16(-x)), (0x7bff, 0xfbff));
        }
    }
}
