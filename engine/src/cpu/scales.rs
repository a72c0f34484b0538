//! The scales of a packed block: how the sums of its integers become floats.

use super::activations::Totals;
use super::block::ROWS;
use super::dot::{Dot, Ints, WORDS};
use super::vector::{HALF_SCALE, NativeSimd, Vector};

/// A scale as it is stored.
pub(super) trait Number: Copy + Default {
    /// What [`Self::load_units`] counts.
    const UNIT: f32;
    /// The nearest of these to `x`.
    fn new(x: f32) -> Self;
    /// Its value.
    fn value(self) -> f32;
    /// Those of eight rows, divided by [`Self::UNIT`].
    fn load_units<V: Vector>(x: &[Self; ROWS]) -> [V::F; WORDS];
    /// Those of eight rows.
    #[inline(always)]
    fn load<V: Vector>(x: &[Self; ROWS]) -> [V::F; WORDS] {
        Self::load_units::<V>(x).map(|four| V::mul(four, V::splat(Self::UNIT)))
    }
}

impl Number for f32 {
    const UNIT: Self = 1.0;
    fn new(x: f32) -> Self {
        x
    }
    fn value(self) -> f32 {
        self
    }
    #[inline(always)]
    fn load_units<V: Vector>(x: &[Self; ROWS]) -> [V::F; WORDS] {
        let (fours, _) = x.as_chunks();
        [V::load(&fours[0]), V::load(&fours[1])]
    }
}

/// The bits of a half.
#[derive(Debug, Clone, Copy, Default)]
#[repr(transparent)]
pub(super) struct Half(u16);

impl Number for Half {
    const UNIT: f32 = HALF_SCALE;
    fn new(x: f32) -> Self {
        Self(half::f16::from_f32(x).to_bits())
    }
    fn value(self) -> f32 {
        half::f16::from_bits(self.0).to_f32()
    }
    #[inline(always)]
    fn load_units<V: Vector>(x: &[Self; ROWS]) -> [V::F; WORDS] {
        V::load_halves(&x.map(|h| h.0)).into()
    }
}

/// The upper half of an f32.
#[derive(Debug, Clone, Copy, Default)]
#[repr(transparent)]
pub(super) struct Bf16(u16);

impl Number for Bf16 {
    const UNIT: f32 = 1.0;
    fn new(x: f32) -> Self {
        Self(half::bf16::from_f32(x).to_bits())
    }
    fn value(self) -> f32 {
        half::bf16::from_bits(self.0).to_f32()
    }
    #[inline(always)]
    fn load_units<V: Vector>(x: &[Self; ROWS]) -> [V::F; WORDS] {
        f32::load_units::<V>(&x.map(|x| f32::from_bits(u32::from(x.0) << 16)))
    }
}

/// The scales of a block, N for 32 columns: how integer sums become floats.
pub(super) trait Scales<const N: usize>: Copy + Sized {
    /// The same, as floats: faster where they are read again and again.
    type Floats: Scales<N>;

    /// What sums must be multiplied by in the end.
    const UNIT: f32;

    /// The same scales as floats.
    fn floats(&self) -> Self::Floats;

    /// From the scale and the offset of each row's first group and second group (the same if there is one).
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self;

    /// Scale, zero and offset of one row and column.
    fn get(&self, row: usize, col: usize) -> (f32, i32, f32);

    /// sum + what the block adds to each of four rows, the first or the second.
    fn add<D: Dot>(&self, word: usize, sum: Floats<D>, dots: [Ints<D>; N], x: &Totals) -> Floats<D>;
}

/// Floats of the machine that `D` is for.
pub(super) type Floats<D> = <<D as Dot>::V as Vector>::F;

/// w = scale · (q − 2ᶻ), one scale for 32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<T, const Z: u32>([T; ROWS]);

/// w = scale · (q − 2ᶻ), one scale for 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale16<T, const Z: u32>([[T; ROWS]; 2]);

/// w = scale · q + offset, for 32.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleOffset<T> {
    scale: [T; ROWS],
    offset: [T; ROWS],
}

/// w = scale · q + offset, for 16.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleOffset16<T> {
    scale: [[T; ROWS]; 2],
    offset: [[T; ROWS]; 2],
}

/// The values of eight numbers.
fn values<T: Number>(numbers: [T; ROWS]) -> [f32; ROWS] {
    let mut values = [0.0; ROWS];
    for (four, values) in T::load::<NativeSimd>(&numbers).into_iter().zip(values.as_chunks_mut().0) {
        NativeSimd::store(four, values);
    }
    values
}

fn group<T: Number>(values: [[f32; 2]; ROWS], group: usize) -> [T; ROWS] {
    values.map(|row| T::new(row[group]))
}

/// Four of eight numbers, in units. Compilers find that the other four are asked for, too, and take all eight apart once.
#[inline(always)]
fn four<D: Dot, T: Number>(values: &[T; ROWS], word: usize) -> Floats<D> {
    T::load_units::<D::V>(values)[word]
}

/// dot − 2ᶻ · sum, as floats.
#[inline(always)]
fn centred<D: Dot, const Z: u32>(dot: Ints<D>, sum: i32) -> Floats<D> {
    D::V::to_float(D::V::sub_int(dot, D::V::shift_left_int::<Z>(D::V::splat_int(sum))))
}

impl<T: Number, const Z: u32> Scales<1> for Scale<T, Z> {
    type Floats = Scale<f32, Z>;
    const UNIT: f32 = T::UNIT;
    fn floats(&self) -> Self::Floats {
        Scale(values(self.0))
    }
    fn pack(scale: [[f32; 2]; ROWS], _: [[f32; 2]; ROWS]) -> Self {
        Self(group(scale, 0))
    }
    fn get(&self, row: usize, _: usize) -> (f32, i32, f32) {
        (self.0[row].value(), 1 << Z, 0.0)
    }
    #[inline(always)]
    fn add<D: Dot>(&self, word: usize, sum: Floats<D>, dots: [Ints<D>; 1], x: &Totals) -> Floats<D> {
        D::V::mul_add(four::<D, T>(&self.0, word), centred::<D, Z>(dots[0], x.all), sum)
    }
}

impl<T: Number, const Z: u32> Scales<2> for Scale16<T, Z> {
    type Floats = Scale16<f32, Z>;
    const UNIT: f32 = T::UNIT;
    fn floats(&self) -> Self::Floats {
        Scale16(self.0.map(values))
    }
    fn pack(scale: [[f32; 2]; ROWS], _: [[f32; 2]; ROWS]) -> Self {
        Self([group(scale, 0), group(scale, 1)])
    }
    fn get(&self, row: usize, col: usize) -> (f32, i32, f32) {
        (self.0[col / 16][row].value(), 1 << Z, 0.0)
    }
    #[inline(always)]
    fn add<D: Dot>(&self, word: usize, sum: Floats<D>, dots: [Ints<D>; 2], x: &Totals) -> Floats<D> {
        let sum = D::V::mul_add(four::<D, T>(&self.0[0], word), centred::<D, Z>(dots[0], x.halves[0]), sum);
        D::V::mul_add(four::<D, T>(&self.0[1], word), centred::<D, Z>(dots[1], x.halves[1]), sum)
    }
}

impl<T: Number> Scales<1> for ScaleOffset<T> {
    type Floats = ScaleOffset<f32>;
    const UNIT: f32 = T::UNIT;
    fn floats(&self) -> Self::Floats {
        ScaleOffset { scale: values(self.scale), offset: values(self.offset) }
    }
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self {
        Self { scale: group(scale, 0), offset: group(offset, 0) }
    }
    fn get(&self, row: usize, _: usize) -> (f32, i32, f32) {
        (self.scale[row].value(), 0, self.offset[row].value())
    }
    #[inline(always)]
    fn add<D: Dot>(&self, word: usize, sum: Floats<D>, dots: [Ints<D>; 1], x: &Totals) -> Floats<D> {
        let sum = D::V::mul_add(four::<D, T>(&self.offset, word), D::V::splat(x.all_as_float), sum);
        D::V::mul_add(four::<D, T>(&self.scale, word), D::V::to_float(dots[0]), sum)
    }
}

impl<T: Number> Scales<2> for ScaleOffset16<T> {
    type Floats = ScaleOffset16<f32>;
    const UNIT: f32 = T::UNIT;
    fn floats(&self) -> Self::Floats {
        ScaleOffset16 { scale: self.scale.map(values), offset: self.offset.map(values) }
    }
    fn pack(scale: [[f32; 2]; ROWS], offset: [[f32; 2]; ROWS]) -> Self {
        Self { scale: [group(scale, 0), group(scale, 1)], offset: [group(offset, 0), group(offset, 1)] }
    }
    fn get(&self, row: usize, col: usize) -> (f32, i32, f32) {
        (self.scale[col / 16][row].value(), 0, self.offset[col / 16][row].value())
    }
    #[inline(always)]
    fn add<D: Dot>(&self, word: usize, sum: Floats<D>, dots: [Ints<D>; 2], x: &Totals) -> Floats<D> {
        dots.into_iter().enumerate().fold(sum, |sum, (g, dot)| {
            let total = D::V::to_float(D::V::splat_int(x.halves[g]));
            let sum = D::V::mul_add(four::<D, T>(&self.offset[g], word), total, sum);
            D::V::mul_add(four::<D, T>(&self.scale[g], word), D::V::to_float(dot), sum)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn halves_are_exact() {
        for bits in 0..=u16::MAX {
            // Neighbours that have nothing in common; what is not finite is not kept.
            let halves = std::array::from_fn(|row| bits.wrapping_add(0x2491 * u16::try_from(row).unwrap()));
            let halves = halves.map(|bits| Half(if half::f16::from_bits(bits).is_finite() { bits } else { 0x8000 }));
            assert_eq!(values(halves).map(f32::to_bits), halves.map(|half| half.value().to_bits()));
        }
    }
}
