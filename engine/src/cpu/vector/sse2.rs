//! What every x86-64 has.

use super::Vector;
use core::arch::x86_64::*;

/// SSE2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sse2;

/// Instructions of SSE and SSE2.
macro_rules! sse2 {
    ($body:expr) => {
        // SAFETY: every x86-64 has SSE2; loads and stores stay within the reference they are given, and are unaligned ones.
        unsafe { $body }
    };
}

impl Vector for Sse2 {
    type F = __m128;
    type I = __m128i;

    #[inline(always)]
    fn load(x: &[f32; 4]) -> Self::F {
        sse2!(_mm_loadu_ps(x.as_ptr()))
    }
    #[inline(always)]
    fn store(x: Self::F, dst: &mut [f32; 4]) {
        sse2!(_mm_storeu_ps(dst.as_mut_ptr(), x));
    }
    #[inline(always)]
    fn splat(x: f32) -> Self::F {
        sse2!(_mm_set1_ps(x))
    }
    #[inline(always)]
    fn add(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_div_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        sse2!(_mm_add_ps(_mm_mul_ps(a, b), c))
    }
    #[inline(always)]
    fn min(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_min_ps(a, b))
    }
    #[inline(always)]
    fn max(a: Self::F, b: Self::F) -> Self::F {
        sse2!(_mm_max_ps(a, b))
    }
    #[inline(always)]
    fn unzip([a, b]: [Self::F; 2]) -> [Self::F; 2] {
        sse2!([_mm_shuffle_ps::<0b10_00_10_00>(a, b), _mm_shuffle_ps::<0b11_01_11_01>(a, b)])
    }
    #[inline(always)]
    fn zip([x, y]: [Self::F; 2]) -> [Self::F; 2] {
        sse2!([_mm_unpacklo_ps(x, y), _mm_unpackhi_ps(x, y)])
    }
    #[inline(always)]
    fn to_bits(x: Self::F) -> Self::I {
        sse2!(_mm_castps_si128(x))
    }
    #[inline(always)]
    fn from_bits(x: Self::I) -> Self::F {
        sse2!(_mm_castsi128_ps(x))
    }
    #[inline(always)]
    fn load_halves(x: &[u16; 8]) -> (Self::F, Self::F) {
        sse2!({
            let x = _mm_loadu_si128(x.as_ptr().cast());
            // The upper and the lower halfwords of the floats: sign, exponent and 7 bits; the 3 last bits.
            let upper = _mm_and_si128(_mm_srai_epi16::<3>(x), _mm_set1_epi16(0x8fff_u16.cast_signed()));
            let lower = _mm_slli_epi16::<13>(x);
            let (low, high) = (_mm_unpacklo_epi16(lower, upper), _mm_unpackhi_epi16(lower, upper));
            (_mm_castsi128_ps(low), _mm_castsi128_ps(high))
        })
    }
    #[inline(always)]
    fn load_signed(x: &[i8; 8]) -> (Self::F, Self::F) {
        sse2!({
            // Each byte in the upper 8 bits, moved down with its sign.
            let x = _mm_loadl_epi64(x.as_ptr().cast());
            let x = _mm_unpacklo_epi8(x, x);
            let (low, high) = (_mm_unpacklo_epi16(x, x), _mm_unpackhi_epi16(x, x));
            (_mm_cvtepi32_ps(_mm_srai_epi32::<24>(low)), _mm_cvtepi32_ps(_mm_srai_epi32::<24>(high)))
        })
    }

    #[inline(always)]
    fn splat_int(x: i32) -> Self::I {
        sse2!(_mm_set1_epi32(x))
    }
    #[inline(always)]
    fn add_int(a: Self::I, b: Self::I) -> Self::I {
        sse2!(_mm_add_epi32(a, b))
    }
    #[inline(always)]
    fn shift_left_int<const N: u32>(x: Self::I) -> Self::I {
        sse2!(_mm_sll_epi32(x, _mm_cvtsi32_si128(N.cast_signed())))
    }
    #[inline(always)]
    fn shift_right_int<const N: u32>(x: Self::I) -> Self::I {
        sse2!(_mm_sra_epi32(x, _mm_cvtsi32_si128(N.cast_signed())))
    }
    #[inline(always)]
    fn to_float(x: Self::I) -> Self::F {
        sse2!(_mm_cvtepi32_ps(x))
    }
    #[inline(always)]
    fn narrow(x: [Self::I; 2]) -> Self::I {
        sse2!(_mm_packs_epi32(x[0], x[1]))
    }
    #[inline(always)]
    fn deal(x: Self::I) -> Self::I {
        // Within each half 0, 2, 1, 3; then the pairs likewise.
        sse2!(_mm_shuffle_epi32::<0b11_01_10_00>(_mm_shufflehi_epi16::<0b11_01_10_00>(_mm_shufflelo_epi16::<
            0b11_01_10_00,
        >(x))))
    }

    #[inline(always)]
    fn load_bytes(x: &[u8; 16]) -> Self::I {
        sse2!(_mm_loadu_si128(x.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_bytes(x: Self::I, dst: &mut [u8; 16]) {
        sse2!(_mm_storeu_si128(dst.as_mut_ptr().cast(), x));
    }
    #[inline(always)]
    fn sub_int(a: Self::I, b: Self::I) -> Self::I {
        sse2!(_mm_sub_epi32(a, b))
    }
    #[inline(always)]
    fn and(a: Self::I, b: Self::I) -> Self::I {
        sse2!(_mm_and_si128(a, b))
    }
    #[inline(always)]
    fn or(a: Self::I, b: Self::I) -> Self::I {
        sse2!(_mm_or_si128(a, b))
    }
    /// The instruction for it came after SSE2.
    #[inline(always)]
    fn look_up(table: Self::I, places: Self::I) -> Self::I {
        let mut bytes = [[0; 16]; 2];
        Self::store_bytes(table, &mut bytes[0]);
        Self::store_bytes(places, &mut bytes[1]);
        Self::load_bytes(&bytes[1].map(|place| bytes[0][usize::from(place & 15)]))
    }
    #[inline(always)]
    fn shift(x: Self::I, by: i32) -> Self::I {
        let bits = sse2!(_mm_cvtsi32_si128(by.abs()));
        sse2!(if by < 0 { _mm_srl_epi16(x, bits) } else { _mm_sll_epi16(x, bits) })
    }
    #[inline(always)]
    fn dot_pairs(a: Self::I, b: Self::I) -> Self::I {
        sse2!(_mm_madd_epi16(a, b))
    }
}
