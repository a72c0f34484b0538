//! WebAssembly's vectors; [`Relaxed`] is the same with fused multiply-add and the one-instruction integer dot product.

use super::{GROUP, Vector};
use core::arch::wasm32::*;

/// Plain SIMD128.
#[cfg(not(target_feature = "relaxed-simd"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simd128;

/// SIMD128 with relaxed instructions.
#[cfg(target_feature = "relaxed-simd")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relaxed;

/// The parts that are the same for both.
macro_rules! common {
    () => {
        type F = v128;
        type I = v128;
        type B = v128;

        #[inline(always)]
        fn load(x: &[f32; 4]) -> v128 {
            // SAFETY: 16 bytes are behind the reference, and v128_load needs no alignment.
            unsafe { v128_load(x.as_ptr().cast()) }
        }
        #[inline(always)]
        fn store(x: v128, dst: &mut [f32; 4]) {
            // SAFETY: 16 bytes are behind the reference, and v128_store needs no alignment.
            unsafe { v128_store(dst.as_mut_ptr().cast(), x) };
        }
        #[inline(always)]
        fn splat(x: f32) -> v128 {
            f32x4_splat(x)
        }
        #[inline(always)]
        fn add(a: v128, b: v128) -> v128 {
            f32x4_add(a, b)
        }
        #[inline(always)]
        fn sub(a: v128, b: v128) -> v128 {
            f32x4_sub(a, b)
        }
        #[inline(always)]
        fn mul(a: v128, b: v128) -> v128 {
            f32x4_mul(a, b)
        }
        #[inline(always)]
        fn div(a: v128, b: v128) -> v128 {
            f32x4_div(a, b)
        }
        #[inline(always)]
        fn min(a: v128, b: v128) -> v128 {
            f32x4_pmin(a, b)
        }
        #[inline(always)]
        fn max(a: v128, b: v128) -> v128 {
            f32x4_pmax(a, b)
        }
        #[inline(always)]
        fn to_bits(x: v128) -> v128 {
            x
        }
        #[inline(always)]
        fn from_bits(x: v128) -> v128 {
            x
        }
        #[inline(always)]
        fn load_halves(x: &[u16; 8]) -> (v128, v128) {
            // SAFETY: 16 bytes are behind the reference, and v128_load needs no alignment.
            let x = unsafe { v128_load(x.as_ptr().cast()) };
            (halves(i32x4_extend_low_i16x8(x)), halves(i32x4_extend_high_i16x8(x)))
        }
        #[inline(always)]
        fn load_4_halves(x: &[u16; 4]) -> v128 {
            // SAFETY: 8 bytes are behind the reference, and the load needs no alignment.
            halves(unsafe { i32x4_load_extend_i16x4(x.as_ptr().cast()) })
        }

        #[inline(always)]
        fn splat_int(x: i32) -> v128 {
            i32x4_splat(x)
        }
        #[inline(always)]
        fn add_int(a: v128, b: v128) -> v128 {
            i32x4_add(a, b)
        }
        #[inline(always)]
        fn shift_left_int<const N: u32>(x: v128) -> v128 {
            i32x4_shl(x, N)
        }
        #[inline(always)]
        fn to_float(x: v128) -> v128 {
            f32x4_convert_i32x4(x)
        }
        #[inline(always)]
        fn narrow(x: [v128; 2]) -> [i16; 8] {
            let mut dst = [0; 8];
            // SAFETY: 16 bytes are behind the pointer, and v128_store needs no alignment.
            unsafe { v128_store(dst.as_mut_ptr().cast(), i16x8_narrow_i32x4(x[0], x[1])) };
            dst
        }

        #[inline(always)]
        fn load_bytes(x: &[u8; 16]) -> v128 {
            // SAFETY: 16 bytes are behind the reference, and v128_load needs no alignment.
            unsafe { v128_load(x.as_ptr().cast()) }
        }
        #[inline(always)]
        fn splat_byte(x: u8) -> v128 {
            u8x16_splat(x)
        }
        #[inline(always)]
        fn and(a: v128, b: v128) -> v128 {
            v128_and(a, b)
        }
        #[inline(always)]
        fn or(a: v128, b: v128) -> v128 {
            v128_or(a, b)
        }
        #[inline(always)]
        fn shift_right<const N: u32>(x: v128) -> v128 {
            u64x2_shr(x, N)
        }
        #[inline(always)]
        fn shift_left<const N: u32>(x: v128) -> v128 {
            i64x2_shl(x, N)
        }
    };
}

#[cfg(not(target_feature = "relaxed-simd"))]
impl Vector for Simd128 {
    common!();
    type Group = [[i16; 4]; GROUP / 4];
    type Quad = v128;
    type Sums = [v128; 2];
    const TAKES_BYTES: bool = true;

    #[inline(always)]
    fn mul_add(a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn group(x: &[i16; GROUP]) -> Self::Group {
        std::array::from_fn(|k| std::array::from_fn(|i| x[4 * k + i]))
    }
    #[inline(always)]
    fn quad(group: &Self::Group, k: usize) -> v128 {
        // SAFETY: 8 bytes are behind the reference, and the load needs no alignment.
        unsafe { v128_load64_splat(group[k].as_ptr().cast()) }
    }
    #[inline(always)]
    fn sums(x: v128) -> [v128; 2] {
        // Each row has two of the eight sums; the start goes into the first.
        let zero = i32x4_splat(0);
        [i32x4_shuffle::<0, 4, 1, 5>(x, zero), i32x4_shuffle::<2, 4, 3, 5>(x, zero)]
    }
    #[inline(always)]
    fn dot(sums: [v128; 2], weights: v128, activations: v128) -> [v128; 2] {
        let low = i32x4_dot_i16x8(i16x8_extend_low_u8x16(weights), activations);
        let high = i32x4_dot_i16x8(i16x8_extend_high_u8x16(weights), activations);
        [i32x4_add(sums[0], low), i32x4_add(sums[1], high)]
    }
    #[inline(always)]
    fn total(sums: [v128; 2]) -> v128 {
        let even = i32x4_shuffle::<0, 2, 4, 6>(sums[0], sums[1]);
        let odd = i32x4_shuffle::<1, 3, 5, 7>(sums[0], sums[1]);
        i32x4_add(even, odd)
    }
}

#[cfg(target_feature = "relaxed-simd")]
impl Vector for Relaxed {
    common!();
    /// The upper bytes by fours, then the lower ones: x = 256 · upper + lower, both −128 … 127.
    type Group = [[[i8; 4]; GROUP / 4]; 2];
    type Quad = [v128; 2];
    /// Of upper and lower bytes.
    type Sums = [v128; 2];
    const TAKES_BYTES: bool = false;

    #[inline(always)]
    fn mul_add(a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "it cuts a halfword into its bytes")]
    fn group(x: &[i16; GROUP]) -> Self::Group {
        let upper = |x: i16| ((x + 128) >> 8) as i8;
        let lower = |x: i16| x as i8;
        [
            std::array::from_fn(|k| std::array::from_fn(|i| upper(x[4 * k + i]))),
            std::array::from_fn(|k| std::array::from_fn(|i| lower(x[4 * k + i]))),
        ]
    }
    #[inline(always)]
    fn quad(group: &Self::Group, k: usize) -> [v128; 2] {
        [repeat(&group[0][k]), repeat(&group[1][k])]
    }
    #[inline(always)]
    fn sums(x: v128) -> [v128; 2] {
        [i32x4_splat(0), x]
    }
    #[inline(always)]
    fn dot(sums: [v128; 2], weights: v128, activations: [v128; 2]) -> [v128; 2] {
        [
            i32x4_relaxed_dot_i8x16_i7x16_add(activations[0], weights, sums[0]),
            i32x4_relaxed_dot_i8x16_i7x16_add(activations[1], weights, sums[1]),
        ]
    }
    #[inline(always)]
    fn total(sums: [v128; 2]) -> v128 {
        i32x4_add(i32x4_shl(sums[0], 8), sums[1])
    }
}

/// Four bytes, four times.
#[cfg(target_feature = "relaxed-simd")]
#[inline(always)]
fn repeat(x: &[i8; 4]) -> v128 {
    i32x4_splat(i32::from_le_bytes(x.map(i8::cast_unsigned)))
}

/// Halves, extended with their sign to 32 bits, as floats times 2⁻¹¹².
#[inline(always)]
fn halves(x: v128) -> v128 {
    v128_and(i32x4_shl(x, 13), i32x4_splat(0x8fff_e000_u32.cast_signed()))
}
