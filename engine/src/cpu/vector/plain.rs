//! Arrays: for machines without an implementation of their own, and as the twin that the others are tested against.

use super::Vector;
use std::array::from_fn;

/// No vector instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

impl Vector for Plain {
    type F = [f32; 4];
    type I = [i32; 4];

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
    fn unzip([a, b]: [Self::F; 2]) -> [Self::F; 2] {
        [[a[0], a[2], b[0], b[2]], [a[1], a[3], b[1], b[3]]]
    }
    fn zip([x, y]: [Self::F; 2]) -> [Self::F; 2] {
        [[x[0], y[0], x[1], y[1]], [x[2], y[2], x[3], y[3]]]
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
    fn load_signed(x: &[i8; 8]) -> (Self::F, Self::F) {
        (from_fn(|i| f32::from(x[i])), from_fn(|i| f32::from(x[4 + i])))
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
    fn shift_right_int<const N: u32>(x: Self::I) -> Self::I {
        x.map(|x| x >> N)
    }
    fn to_float(x: Self::I) -> Self::F {
        x.map(|x| x as f32)
    }
    #[expect(clippy::cast_possible_truncation, reason = "the contract: −32768 … 32767")]
    fn narrow(x: [Self::I; 2]) -> Self::I {
        from_fn(|i| join(from_fn(|n| x[i / 2][2 * (i % 2) + n] as i16)))
    }
    fn deal(x: Self::I) -> Self::I {
        let x = x.map(halfwords);
        [join([x[0][0], x[1][0]]), join([x[2][0], x[3][0]]), join([x[0][1], x[1][1]]), join([x[2][1], x[3][1]])]
    }

    fn load_bytes(x: &[u8; 16]) -> Self::I {
        from_fn(|i| i32::from_le_bytes([x[4 * i], x[4 * i + 1], x[4 * i + 2], x[4 * i + 3]]))
    }
    fn store_bytes(x: Self::I, dst: &mut [u8; 16]) {
        dst.copy_from_slice(x.map(i32::to_le_bytes).as_flattened());
    }
    fn sub_int(a: Self::I, b: Self::I) -> Self::I {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    fn and(a: Self::I, b: Self::I) -> Self::I {
        from_fn(|i| a[i] & b[i])
    }
    fn or(a: Self::I, b: Self::I) -> Self::I {
        from_fn(|i| a[i] | b[i])
    }
    fn look_up(table: Self::I, places: Self::I) -> Self::I {
        let mut bytes = [[0; 16]; 2];
        Self::store_bytes(table, &mut bytes[0]);
        Self::store_bytes(places, &mut bytes[1]);
        Self::load_bytes(&bytes[1].map(|place| bytes[0][usize::from(place)]))
    }
    fn shift(x: Self::I, by: i32) -> Self::I {
        let shift = |x: i16| if by < 0 { (x.cast_unsigned() >> -by).cast_signed() } else { x << by };
        x.map(|x| join(halfwords(x).map(shift)))
    }
    fn dot_pairs(a: Self::I, b: Self::I) -> Self::I {
        let dot = |a: [i16; 2], b: [i16; 2]| i32::from(a[0]) * i32::from(b[0]) + i32::from(a[1]) * i32::from(b[1]);
        from_fn(|i| dot(halfwords(a[i]), halfwords(b[i])))
    }
}

#[cfg(test)]
impl super::DotQuads for Plain {
    fn dot_quads(a: Self::I, b: Self::I, sums: Self::I) -> Self::I {
        let product = |a: u8, b: u8| i32::from(a.cast_signed()) * i32::from(b);
        from_fn(|i| sums[i] + (0..4).map(|n| product(a[i].to_le_bytes()[n], b[i].to_le_bytes()[n])).sum::<i32>())
    }
    fn times_256(x: Self::I) -> Self::I {
        x.map(|x| x << 8)
    }
    fn split(x: [Self::I; 4]) -> [Self::I; 2] {
        let bytes: [fn(i32) -> u8; 2] = [|x| ((x + 128) >> 8).to_le_bytes()[0], |x| x.to_le_bytes()[0]];
        bytes.map(|byte| x.map(|four| i32::from_le_bytes(four.map(byte))))
    }
}

/// The lower and the upper half.
fn halfwords(x: i32) -> [i16; 2] {
    let [a, b, c, d] = x.to_le_bytes();
    [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])]
}

/// The inverse.
fn join(x: [i16; 2]) -> i32 {
    i32::from(x[1]) << 16 | i32::from(x[0].cast_unsigned())
}

/// A half times 2⁻¹¹²: sign, exponent and mantissa moved to where a float has them.
fn half(x: u16) -> f32 {
    let x = u32::from(x);
    f32::from_bits((x & 0x8000) << 16 | (x & 0x7fff) << 13)
}
