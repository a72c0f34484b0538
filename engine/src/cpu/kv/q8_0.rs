//! Keys and values as bytes: ggml's Q8_0, of keys that a [Hadamard rotation](hadamard) has spread.

use super::super::attention::tile::{BLOCK, BlockF32, QUERIES, STEP, Tile, store};
use super::super::vector::{HALF_SCALE, Vector};
use super::f16::{F16_MAX, to_f16};
use super::hadamard::hadamard;
use super::{Head, block_of, bytes, parts_of, resize};
use half::f16;

/// Neighbouring elements of a key or value that share a scale; the last ones may be fewer.   x[i] = d · q[i]
const GROUP: usize = 32;

/// The largest byte.
const MAX: f32 = 127.0;

/// Keys and values of one head. Scales are halves.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Q8_0 {
    head_dim: usize,
    /// `[n / 8, head_dim, 8]`.
    keys: Vec<[i8; STEP]>,
    /// `[n / 8, head_dim / 32, 8]`.
    key_scales: Vec<[u16; STEP]>,
    /// `[n / 64, head_dim / 8, 64, 8]`, the last eight filled up with zeros.
    values: Vec<[i8; STEP]>,
    /// `[n / 64, head_dim / 32, 64]`.
    value_scales: Vec<u16>,
    /// A key, rotated.
    rotated: Vec<[f32; 1]>,
}

impl Q8_0 {
    fn n_groups(&self) -> usize {
        self.head_dim.div_ceil(GROUP)
    }

    fn per_value(&self) -> usize {
        self.head_dim.div_ceil(STEP)
    }

    fn convert<V: Vector>(&self, block: usize, floats: &mut BlockF32) {
        let (head_dim, n_groups, per_value) = (self.head_dim, self.n_groups(), self.per_value());
        let prescale = V::splat(HALF_SCALE);
        let keys = block_of(&self.keys, block, BLOCK / STEP * head_dim);
        let scales = block_of(&self.key_scales, block, BLOCK / STEP * n_groups);
        floats.keys.resize(keys.len(), [0.0; STEP]);
        let steps = floats.keys.chunks_exact_mut(head_dim).zip(keys.chunks_exact(head_dim));
        for ((floats, keys), scales) in steps.zip(scales.chunks_exact(n_groups)) {
            for ((floats, keys), scale) in floats.chunks_mut(GROUP).zip(keys.chunks(GROUP)).zip(scales) {
                let (low, high) = V::load_halves(scale);
                let scale = (V::mul(low, prescale), V::mul(high, prescale));
                let keys = keys.iter().zip(floats);
                keys.for_each(|(keys, floats)| store::<V>(scaled::<V>(keys, scale), floats));
            }
        }
        let values = block_of(&self.values, block, BLOCK * per_value);
        let scales = block_of(&self.value_scales, block, BLOCK * n_groups);
        floats.values.resize(values.len(), [0.0; STEP]);
        let parts = floats.values.chunks_exact_mut(BLOCK).zip(values.chunks_exact(BLOCK));
        for (part, (floats, values)) in parts.enumerate() {
            let scales = &scales[part / (GROUP / STEP) * BLOCK..][..BLOCK];
            for ((floats, value), scale) in floats.iter_mut().zip(values).zip(scales) {
                let (scale, _) = V::load_halves(&[*scale; 8]);
                let scale = V::mul(scale, prescale);
                store::<V>(scaled::<V>(value, (scale, scale)), floats);
            }
        }
    }
}

/// scale · x.
#[inline(always)]
fn scaled<V: Vector>(x: &[i8; STEP], scale: (V::F, V::F)) -> (V::F, V::F) {
    let (low, high) = V::load_signed(x);
    (V::mul(low, scale.0), V::mul(high, scale.1))
}

/// The scale of a group, and its bytes.
#[expect(clippy::cast_possible_truncation, reason = "a float saturates as it becomes an integer")]
fn quantize(x: &[f32]) -> (u16, impl Iterator<Item = i8>) {
    let scale = to_f16(x.iter().fold(0.0, |max: f32, x| max.max(x.abs())) / MAX);
    let rounded = f16::from_bits(scale).to_f32();
    let inverse = if rounded > 0.0 { 1.0 / rounded } else { 0.0 };
    (scale, x.iter().map(move |x| (x * inverse).round_ties_even().clamp(-MAX, MAX) as i8))
}

impl Head for Q8_0 {
    fn new(head_dim: usize) -> Self {
        Self {
            head_dim,
            keys: Vec::new(),
            key_scales: Vec::new(),
            values: Vec::new(),
            value_scales: Vec::new(),
            rotated: vec![[0.0]; head_dim],
        }
    }

    fn resize(&mut self, n: usize, room: usize) {
        let (n_groups, per_value) = (self.n_groups(), self.per_value());
        let (steps, step_room) = (n.div_ceil(STEP), room.div_ceil(STEP));
        let (blocks, block_room) = (n.div_ceil(BLOCK), room.div_ceil(BLOCK));
        resize(&mut self.keys, steps, step_room, self.head_dim, [0; STEP]);
        resize(&mut self.key_scales, steps, step_room, n_groups, [0; STEP]);
        resize(&mut self.values, blocks, block_room, BLOCK * per_value, [0; STEP]);
        resize(&mut self.value_scales, blocks, block_room, BLOCK * n_groups, 0);
    }

    fn put(&mut self, slot: usize, k: &[f32], v: &[f32]) {
        let (head_dim, n_groups) = (self.head_dim, self.n_groups());
        let keys = self.keys[slot / STEP * head_dim..][..head_dim].chunks_mut(GROUP);
        let scales = &mut self.key_scales[slot / STEP * n_groups..][..n_groups];
        // An infinite element would be spread over all.
        self.rotated.iter_mut().zip(k).for_each(|(rotated, k)| *rotated = [k.clamp(-F16_MAX, F16_MAX)]);
        hadamard(&mut self.rotated);
        for ((keys, scales), k) in keys.zip(scales).zip(self.rotated.as_flattened().chunks(GROUP)) {
            let (scale, bytes) = quantize(k);
            scales[slot % STEP] = scale;
            keys.iter_mut().zip(bytes).for_each(|(keys, k)| keys[slot % STEP] = k);
        }
        let mut parts = parts_of(&mut self.values, slot, self.head_dim);
        let scales = self.value_scales[slot / BLOCK * BLOCK * n_groups..].iter_mut().skip(slot % BLOCK).step_by(BLOCK);
        for (scale, v) in scales.zip(v.chunks(GROUP)) {
            let (of_group, mut bytes) = quantize(v);
            *scale = of_group;
            for value in parts.by_ref().take(v.len().div_ceil(STEP)) {
                value.iter_mut().zip(bytes.by_ref()).for_each(|(value, v)| *value = v);
            }
        }
    }

    fn bytes(&self) -> usize {
        let keys = bytes(&self.keys) + bytes(&self.key_scales);
        keys + bytes(&self.values) + bytes(&self.value_scales)
    }

    fn parts(&mut self) -> Vec<&mut [u8]> {
        let Self { keys, key_scales, values, value_scales, .. } = self;
        let (keys, key_scales) = (bytemuck::cast_slice_mut(keys), bytemuck::cast_slice_mut(key_scales));
        vec![keys, key_scales, bytemuck::cast_slice_mut(values), bytemuck::cast_slice_mut(value_scales)]
    }

    fn prescale(_: usize) -> f32 {
        1.0
    }

    fn rotate(queries: &mut [[f32; QUERIES]]) {
        hadamard(queries);
    }

    fn attend<V: Vector>(&self, block: usize, stored: usize, tiles: &mut [Tile<'_>], floats: &mut BlockF32) {
        self.convert::<V>(stored, floats);
        floats.attend::<V>(block, tiles);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::vector::NativeSimd;
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn restored(x: &[f32]) -> Vec<f32> {
        let (scale, bytes) = quantize(x);
        bytes.map(|q| f16::from_bits(scale).to_f32() * f32::from(q)).collect()
    }

    #[test]
    fn elements_are_off_by_half_a_step() {
        for size in [1e-3, 1.0, 300.0, 1e6] {
            let x: Vec<f32> = (0..32_u8).map(|i| size * (f32::from(i) * 0.7).sin()).collect();
            for (x, y) in x.iter().zip(restored(&x)) {
                assert!((x - y).abs() <= size / MAX * 0.51, "{x} became {y}");
            }
        }
    }

    /// A key as it is kept, rotated back.
    fn kept(key: &[f32]) -> Vec<[f32; 1]> {
        let mut head = Q8_0::new(key.len());
        head.resize(1, 1);
        head.put(0, key, key);
        let mut floats = BlockF32::default();
        head.convert::<NativeSimd>(0, &mut floats);
        let mut kept: Vec<[f32; 1]> = floats.keys.iter().map(|positions| [positions[0]]).collect();
        hadamard(&mut kept);
        kept
    }

    #[test]
    fn a_large_element_costs_the_others_little() {
        let mut key: Vec<f32> = (0..64_u8).map(|i| (f32::from(i) * 0.7).sin()).collect();
        key[9] = 100.0;
        let errors = kept(&key).into_iter().zip(&key).map(|([kept], k)| (kept - k).powi(2));
        let rms = (errors.sum::<f32>() / 64.0).sqrt();
        // Half of the others' steps would be 0.4, and the root of their mean square 0.23.
        assert!(rms < 0.06, "elements are off by {rms}");
    }

    #[test]
    fn a_key_with_an_infinite_element_is_finite() {
        let mut key = [1.0; 64];
        key[3] = f32::INFINITY;
        let kept = kept(&key);
        assert!(kept.as_flattened().iter().all(|k| k.is_finite()) && kept[3][0] > 60000.0, "{kept:?}");
        assert!(self::kept(&[f32::NAN; 64]).as_flattened().iter().all(|k| k.is_finite()));
    }

    #[test]
    fn what_cannot_be_kept_is_finite() {
        assert_eq!(restored(&[0.0; 32]), [0.0; 32]);
        assert!(restored(&[1.0, f32::INFINITY, f32::NAN]).iter().all(|x| x.is_finite()));
        assert!(restored(&[1e38, -1e38]).iter().all(|x| x.abs() >= 65504.0 && x.is_finite()));
    }
}
