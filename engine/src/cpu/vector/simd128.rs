//! WebAssembly's vectors; [`Relaxed`] is the same with fused multiply-add and the one-instruction integer dot product.

use super::Vector;
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
        fn unzip([a, b]: [v128; 2]) -> [v128; 2] {
            [i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b)]
        }
        #[inline(always)]
        fn zip([x, y]: [v128; 2]) -> [v128; 2] {
            [i32x4_shuffle::<0, 4, 1, 5>(x, y), i32x4_shuffle::<2, 6, 3, 7>(x, y)]
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
            // The upper and the lower halfwords of the floats: sign, exponent and 7 bits; the 3 last bits.
            let upper = v128_and(i16x8_shr(x, 3), u16x8_splat(0x8fff));
            let lower = i16x8_shl(x, 13);
            let low = i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(lower, upper);
            (low, i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(lower, upper))
        }
        #[inline(always)]
        fn load_signed(x: &[i8; 8]) -> (v128, v128) {
            // SAFETY: 8 bytes are behind the reference, and the load needs no alignment.
            let x = unsafe { i16x8_load_extend_i8x8(x.as_ptr()) };
            (f32x4_convert_i32x4(i32x4_extend_low_i16x8(x)), f32x4_convert_i32x4(i32x4_extend_high_i16x8(x)))
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
        fn shift_right_int<const N: u32>(x: v128) -> v128 {
            i32x4_shr(x, N)
        }
        #[inline(always)]
        fn to_float(x: v128) -> v128 {
            f32x4_convert_i32x4(x)
        }
        #[inline(always)]
        fn narrow(x: [v128; 2]) -> v128 {
            i16x8_narrow_i32x4(x[0], x[1])
        }
        #[inline(always)]
        fn deal(x: v128) -> v128 {
            i16x8_shuffle::<0, 2, 4, 6, 1, 3, 5, 7>(x, x)
        }

        #[inline(always)]
        fn load_bytes(x: &[u8; 16]) -> v128 {
            // SAFETY: 16 bytes are behind the reference, and v128_load needs no alignment.
            unsafe { v128_load(x.as_ptr().cast()) }
        }
        #[inline(always)]
        fn store_bytes(x: v128, dst: &mut [u8; 16]) {
            // SAFETY: 16 bytes are behind the reference, and v128_store needs no alignment.
            unsafe { v128_store(dst.as_mut_ptr().cast(), x) };
        }
        #[inline(always)]
        fn sub_int(a: v128, b: v128) -> v128 {
            i32x4_sub(a, b)
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
        fn shift(x: v128, by: i32) -> v128 {
            if by < 0 { u16x8_shr(x, by.unsigned_abs()) } else { i16x8_shl(x, by.unsigned_abs()) }
        }
        #[inline(always)]
        fn dot_pairs(a: v128, b: v128) -> v128 {
            i32x4_dot_i16x8(a, b)
        }
    };
}

#[cfg(not(target_feature = "relaxed-simd"))]
impl Vector for Simd128 {
    common!();

    #[inline(always)]
    fn mul_add(a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    fn look_up(table: v128, places: v128) -> v128 {
        i8x16_swizzle(table, places)
    }
}

#[cfg(target_feature = "relaxed-simd")]
impl Vector for Relaxed {
    common!();

    #[inline(always)]
    fn mul_add(a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }
    #[inline(always)]
    fn look_up(table: v128, places: v128) -> v128 {
        i8x16_relaxed_swizzle(table, places)
    }
}

#[cfg(target_feature = "relaxed-simd")]
impl super::DotQuads for Relaxed {
    #[inline(always)]
    fn dot_quads(a: v128, b: v128, sums: v128) -> v128 {
        i32x4_relaxed_dot_i8x16_i7x16_add(a, b, sums)
    }
    #[inline(always)]
    fn times_256(x: v128) -> v128 {
        // Not by a shift: Intel's processors shift, multiply and convert on the same two ports, and move bytes on another one.
        // SAFETY: it is a vector that nobody writes. Volatile, because V8 makes each constant anew, by three instructions.
        let places = unsafe { (&raw const ONE_BYTE_UP).read_volatile() };
        i8x16_relaxed_swizzle(x, places)
    }
    #[inline(always)]
    fn split(x: [v128; 4]) -> [v128; 2] {
        let x = [i16x8_narrow_i32x4(x[0], x[1]), i16x8_narrow_i32x4(x[2], x[3])];
        let upper = x.map(|x| i16x8_shr(i16x8_add(x, i16x8_splat(128)), 8));
        let lower = x.map(|x| i16x8_shr(i16x8_shl(x, 8), 8));
        [upper, lower].map(|halfwords| i8x16_narrow_i16x8(halfwords[0], halfwords[1]))
    }
}

/// For every byte of four i32 the place of the one below it; for the lowest 128, where a swizzle gives 0 on every processor (only
/// 16 … 127 are its own affair).
#[cfg(target_feature = "relaxed-simd")]
static ONE_BYTE_UP: v128 = u8x16(128, 0, 1, 2, 128, 4, 5, 6, 128, 8, 9, 10, 128, 12, 13, 14);
