//! Arrays: for machines without an implementation of their own, and as the twin that the others are tested against.

use super::{GROUP, Vector};
use std::array::from_fn;

/// No vector instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Vector for Plain {
    type F = [f32; 4];
    type I = [i32; 4];
    type B = [u8; 16];
    type Group = [i16; GROUP];
    type Quad = [i16; 4];
    type Sums = [i32; 4];

    fn load(x: &[f32; 4]) -> Self::F {
        *x
    }
    fn store(x: Self::F, dst: &mut [f32; 4]) {
        *dst = x;
    }
    fn splat(x: f32) -> Self::F {
        [x; 4]
    }
    fn add(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] + b[i])
    }
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] - b[i])
    }
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] * b[i])
    }
    fn div(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i] / b[i])
    }
    fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        from_fn(|i| a[i] * b[i] + c[i])
    }
    fn min(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i].min(b[i]))
    }
    fn max(a: Self::F, b: Self::F) -> Self::F {
        from_fn(|i| a[i].max(b[i]))
    }
    fn to_bits(x: Self::F) -> Self::I {
        x.map(|x| x.to_bits().cast_signed())
    }
    fn from_bits(x: Self::I) -> Self::F {
        x.map(|x| f32::from_bits(x.cast_unsigned()))
    }
    fn load_halves(x: &[u16; 8]) -> (Self::F, Self::F) {
        (from_fn(|i| half(x[i])), from_fn(|i| half(x[4 + i])))
    }
    fn load_4_halves(x: &[u16; 4]) -> Self::F {
        x.map(half)
    }

    fn splat_int(x: i32) -> Self::I {
        [x; 4]
    }
    fn add_int(a: Self::I, b: Self::I) -> Self::I {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }
    fn shift_left_int<const N: u32>(x: Self::I) -> Self::I {
        x.map(|x| x << N)
    }
    fn to_float(x: Self::I) -> Self::F {
        x.map(|x| x as f32)
    }
    #[expect(clippy::cast_possible_truncation, reason = "the contract: −32768 … 32767")]
    fn narrow(x: [Self::I; 2]) -> [i16; 8] {
        from_fn(|i| x[i / 4][i % 4] as i16)
    }

    fn load_bytes(x: &[u8; 16]) -> Self::B {
        *x
    }
    fn splat_byte(x: u8) -> Self::B {
        [x; 16]
    }
    fn and(a: Self::B, b: Self::B) -> Self::B {
        from_fn(|i| a[i] & b[i])
    }
    fn or(a: Self::B, b: Self::B) -> Self::B {
        from_fn(|i| a[i] | b[i])
    }
    fn shift_right<const N: u32>(x: Self::B) -> Self::B {
        (u128::from_le_bytes(x) >> N).to_le_bytes()
    }
    fn shift_left<const N: u32>(x: Self::B) -> Self::B {
        (u128::from_le_bytes(x) << N).to_le_bytes()
    }

    const TAKES_BYTES: bool = true;

    fn group(x: &[i16; GROUP]) -> Self::Group {
        *x
    }
    fn quad(group: &Self::Group, k: usize) -> Self::Quad {
        from_fn(|i| group[4 * k + i])
    }
    fn sums(x: Self::I) -> Self::Sums {
        x
    }
    fn dot(sums: Self::Sums, weights: Self::B, activations: Self::Quad) -> Self::Sums {
        from_fn(|row| {
            sums[row] + (0..4).map(|i| i32::from(weights[4 * row + i]) * i32::from(activations[i])).sum::<i32>()
        })
    }
    fn total(sums: Self::Sums) -> Self::I {
        sums
    }
}

/// A half times 2⁻¹¹²: sign, exponent and mantissa moved to where a float has them.
fn half(x: u16) -> f32 {
    let x = u32::from(x);
    f32::from_bits((x & 0x8000) << 16 | (x & 0x7fff) << 13)
}
