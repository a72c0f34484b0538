//! Four floats, four integers, sixteen bytes at a time: the one place that knows a machine's vector instructions.
//!
//! Kernels are written once over [`Vector`]; an implementation is a thin shell over one instruction set. [`NativeSimd`] is
//! the one this build was made for.

#![expect(unsafe_code, reason = "vector loads and stores go through pointers")]

use std::array::from_fn;
use std::mem::MaybeUninit;

#[cfg(any(test, not(any(target_arch = "wasm32", target_arch = "x86_64"))))]
pub(crate) mod plain;
#[cfg(target_arch = "wasm32")]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse2;

/// The instruction set of this build.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(crate) type NativeSimd = simd128::Relaxed;
/// The instruction set of this build.
#[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
pub(crate) type NativeSimd = simd128::Simd128;
/// The instruction set of this build.
#[cfg(target_arch = "x86_64")]
pub(crate) type NativeSimd = sse2::Sse2;
/// The instruction set of this build.
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
pub(crate) type NativeSimd = plain::Plain;

/// What a kernel may ask of 128-bit vectors.
pub(crate) trait Vector: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// Four f32.
    type F: Copy;
    /// Integers: four i32, eight halfwords or sixteen bytes.
    type I: Copy;

    /// Reads four floats.
    fn load(x: &[f32; 4]) -> Self::F;
    /// Writes four floats.
    fn store(x: Self::F, dst: &mut [f32; 4]);
    /// The same float four times.
    fn splat(x: f32) -> Self::F;
    /// a + b.
    fn add(a: Self::F, b: Self::F) -> Self::F;
    /// a − b.
    fn sub(a: Self::F, b: Self::F) -> Self::F;
    /// a · b.
    fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// a / b.
    fn div(a: Self::F, b: Self::F) -> Self::F;
    /// a · b + c, rounded once or twice.
    fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The smaller of each pair; either where one is not a number.
    fn min(a: Self::F, b: Self::F) -> Self::F;
    /// The larger of each pair; either where one is not a number.
    fn max(a: Self::F, b: Self::F) -> Self::F;
    /// Of two times two pairs, the first ones and the second ones.
    fn unzip(pairs: [Self::F; 2]) -> [Self::F; 2];
    /// Pairs of a first and a second one: the inverse.
    fn zip(x: [Self::F; 2]) -> [Self::F; 2];
    /// The four bit patterns as integers.
    fn to_bits(x: Self::F) -> Self::I;
    /// Four bit patterns as floats.
    fn from_bits(x: Self::I) -> Self::F;
    /// Reads eight halves and returns them times 2⁻¹¹², exactly: [`HALF_SCALE`] undoes it.
    fn load_halves(x: &[u16; 8]) -> (Self::F, Self::F);

    /// Reads eight signed bytes, as floats.
    fn load_signed(x: &[i8; 8]) -> (Self::F, Self::F);
    /// Reads sixteen bytes.
    fn load_bytes(x: &[u8; 16]) -> Self::I;
    /// Writes sixteen bytes.
    fn store_bytes(x: Self::I, dst: &mut [u8; 16]);
    /// The same i32 four times.
    fn splat_int(x: i32) -> Self::I;
    /// a + b, of i32.
    fn add_int(a: Self::I, b: Self::I) -> Self::I;
    /// a − b, of i32.
    fn sub_int(a: Self::I, b: Self::I) -> Self::I;
    /// x · 2ᴺ, of i32.
    fn shift_left_int<const N: u32>(x: Self::I) -> Self::I;
    /// x / 2ᴺ, rounded down, of i32.
    fn shift_right_int<const N: u32>(x: Self::I) -> Self::I;
    /// The nearest floats, of i32.
    fn to_float(x: Self::I) -> Self::F;
    /// Eight i32 of −32768 … 32767 as halfwords.
    fn narrow(x: [Self::I; 2]) -> Self::I;
    /// Halfwords 0, 2, 4, 6, 1, 3, 5, 7.
    fn deal(x: Self::I) -> Self::I;
    /// a & b.
    fn and(a: Self::I, b: Self::I) -> Self::I;
    /// a | b.
    fn or(a: Self::I, b: Self::I) -> Self::I;
    /// The bytes of `table` at places of 0 … 15.
    fn look_up(table: Self::I, places: Self::I) -> Self::I;
    /// The bits of every halfword moved so far up, or down if `by` is negative, which should be known when this is compiled.
    fn shift(x: Self::I, by: i32) -> Self::I;
    /// Products of halfwords, summed by twos to four i32.
    fn dot_pairs(a: Self::I, b: Self::I) -> Self::I;
}

/// Vectors with an integer dot product of bytes, what makes such bytes, and what puts their sums together.
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
pub(crate) trait DotQuads: Vector {
    /// sums + products of bytes, summed by fours; a is −128 … 127, b is 0 … 127, or what the processor reads ([`Reading`]).
    fn dot_quads(a: Self::I, b: Self::I, sums: Self::I) -> Self::I;
    /// x · 256 modulo 2³².
    fn times_256(x: Self::I) -> Self::I;
    /// Sixteen i32 of −32512 … 32512 as bytes: x = 256 · upper + lower, both −128 … 127.
    fn split(x: [Self::I; 4]) -> [Self::I; 2];
}

/// How a processor reads the bytes b of [`DotQuads::dot_quads`]: above 127, that is its own affair.
/// <https://github.com/WebAssembly/relaxed-simd/blob/main/proposals/relaxed-simd/Overview.md>
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// 0 … 255.
    Unsigned,
    /// −128 … 127.
    Signed,
}

/// How [`DotQuads::dot_quads`] reads b where it is one instruction of the processor, as far as its results tell.
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
pub(crate) fn reading_of_dots<V: DotQuads>() -> Option<Reading> {
    reading(|a, b| {
        let [a, b] = std::hint::black_box([[a.cast_unsigned(); 16], [b; 16]]);
        sum_int::<V>(V::dot_quads(V::load_bytes(&a), V::load_bytes(&b), V::splat_int(0))) / 4
    })
}

/// How b is read where four products of a and b are summed exactly.
///
/// An instruction that sums four products does so exactly; the several that stand in for it sum two at first, in halfwords,
/// which saturate (x86) or wrap (ARM).
#[cfg(any(test, all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
fn reading(dot: impl Fn(i8, u8) -> i32) -> Option<Reading> {
    const CASES: [(i8, u8); 3] = [(127, 255), (-128, 255), (-128, 128)];
    let reads = |b: fn(u8) -> i32| CASES.into_iter().all(|(x, y)| dot(x, y) == 4 * i32::from(x) * b(y));
    if reads(i32::from) {
        return Some(Reading::Unsigned);
    }
    reads(|b| i32::from(b.cast_signed())).then_some(Reading::Signed)
}

/// 2¹¹²: a half's exponent bias is 112 less than a float's. Until they are multiplied by it, the smallest halves are subnormal
/// floats, and any product of those takes 50 ns on Intel's processors.
pub(crate) const HALF_SCALE: f32 = f32::from_bits((112 + 127) << 23);

/// Bytes of a cache line.
const LINE: usize = 64;

/// Reads a byte of every 64 of `x` and forgets it: memory brings their cache lines (but for the last one, where `x` starts
/// within a line) while other work is done, instead of one after the other when they are used.
#[inline(always)]
pub(crate) fn fetch<T: Copy>(x: &[T]) {
    for offset in (0..size_of_val(x)).step_by(LINE) {
        // SAFETY: the byte is one of `x`, though perhaps of its padding; what can be copied has no cells that others write.
        unsafe { x.as_ptr().byte_add(offset).cast::<MaybeUninit<u8>>().read_volatile() };
    }
}

/// x0 + x1 + x2 + x3.
pub(crate) fn sum<V: Vector>(x: V::F) -> f32 {
    let mut lanes = [0.0; 4];
    V::store(x, &mut lanes);
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// x0 + x1 + x2 + x3, of integers, modulo 2³².
pub(crate) fn sum_int<V: Vector>(x: V::I) -> i32 {
    let mut lanes = [0; 16];
    V::store_bytes(x, &mut lanes);
    lanes.as_chunks().0.iter().map(|lane| i32::from_le_bytes(*lane)).fold(0, i32::wrapping_add)
}

/// The largest of four.
pub(crate) fn largest<V: Vector>(x: V::F) -> f32 {
    let mut lanes = [0.0; 4];
    V::store(x, &mut lanes);
    lanes[0].max(lanes[2]).max(lanes[1].max(lanes[3]))
}

/// Added and subtracted, it rounds a float below 2²² to an integer, whose bits are then the low ones.
const ROUND: f32 = 12_582_912.0;

/// The nearest integers of floats below 2²².
pub(crate) fn round<V: Vector>(x: V::F) -> V::I {
    let shifted = V::to_bits(V::add(x, V::splat(ROUND)));
    V::add_int(shifted, V::splat_int((ROUND.to_bits() as i32).wrapping_neg()))
}

/// Below this, exp is as good as 0; above its negative, it is cut off so that it stays finite.
const EXP_MIN: f32 = -87.0;
/// ln 2 in two parts: a multiple of the first by a small integer is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// 1/k! for k = 0 … 6.
const EXP: [f32; 7] = [1.0, 1.0, 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0];

/// eˣ to about 3e-7, as 2ⁿ · eʳ with |r| ≤ ln 2 / 2. Of several at once, because V8 makes each constant anew, by three
/// instructions.
#[inline(always)]
pub(crate) fn exp<V: Vector, const N: usize>(x: [V::F; N]) -> [V::F; N] {
    let x = x.map(|x| V::min(V::max(x, V::splat(EXP_MIN)), V::splat(-EXP_MIN)));
    // The low bits are n.
    let shifted = x.map(|x| V::add(V::mul(x, V::splat(std::f32::consts::LOG2_E)), V::splat(ROUND)));
    let n = shifted.map(|shifted| V::sub(shifted, V::splat(ROUND)));
    let r: [_; N] = from_fn(|i| LN_2.iter().fold(x[i], |r, ln_2| V::mul_add(n[i], V::splat(-ln_2), r)));
    let mut power = [V::splat(EXP[6]); N];
    for coefficient in EXP[..6].iter().rev() {
        power = from_fn(|i| V::mul_add(power[i], r[i], V::splat(*coefficient)));
    }
    // Moved to the exponent, of which nothing but n is left; neither sum nor exponent overflows.
    from_fn(|i| V::from_bits(V::add_int(V::to_bits(power[i]), V::shift_left_int::<23>(V::to_bits(shifted[i])))))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn lanes(x: <NativeSimd as Vector>::F) -> [f32; 4] {
        let mut lanes = [0.0; 4];
        NativeSimd::store(x, &mut lanes);
        lanes
    }

    #[test]
    fn exp_is_close() {
        for i in 0..2 * 8700 / 8 {
            let x: [[f32; 4]; 2] = from_fn(|j| from_fn(|lane| (8 * i + 4 * j + lane) as f32 * 0.01 - 87.0));
            let exps = exp::<NativeSimd, 2>(x.each_ref().map(NativeSimd::load)).map(lanes);
            for (x, exp) in x.as_flattened().iter().zip(exps.as_flattened()) {
                let expected = f64::from(*x).exp();
                let error = (f64::from(*exp) - expected) / expected;
                assert!(error.abs() < 4e-7, "exp({x}) is off by {error:e}");
            }
        }
    }

    #[test]
    fn exp_of_very_small_and_very_large() {
        assert!(lanes(exp::<NativeSimd, 1>([NativeSimd::splat(f32::NEG_INFINITY)])[0])[0] < 1e-37);
        assert!(lanes(exp::<NativeSimd, 1>([NativeSimd::splat(1e9)])[0])[0].is_finite());
    }

    #[test]
    fn rounding_is_to_the_nearest() {
        for i in -1000..1000 {
            let x = i as f32 * 0.13;
            assert_eq!(
                lanes(NativeSimd::to_float(round::<NativeSimd>(NativeSimd::splat(x)))),
                [x.round_ties_even(); 4]
            );
        }
    }

    #[test]
    fn pairs_are_taken_apart_and_put_together() {
        let pairs = [NativeSimd::load(&[1.0, -1.0, 2.0, -2.0]), NativeSimd::load(&[3.0, -3.0, 4.0, -4.0])];
        let apart = NativeSimd::unzip(pairs);
        assert_eq!(apart.map(lanes), [[1.0, 2.0, 3.0, 4.0], [-1.0, -2.0, -3.0, -4.0]]);
        assert_eq!(NativeSimd::zip(apart).map(lanes), pairs.map(lanes));
    }

    /// What processors do: `vpdpbusd`; `sdot` or `vpdpbssd`; `pmaddubsw` and `pmaddwd`, `smull` and `addp`.
    #[test]
    fn dots_by_their_results() {
        let (signed, unsigned) = (|b: u8| i32::from(b.cast_signed()), |b: u8| i32::from(b));
        assert_eq!(reading(|a, b| 4 * i32::from(a) * unsigned(b)), Some(Reading::Unsigned));
        assert_eq!(reading(|a, b| 4 * i32::from(a) * signed(b)), Some(Reading::Signed));
        assert_eq!(reading(|a, b| 2 * (2 * i32::from(a) * unsigned(b)).clamp(-32768, 32767)), None);
        assert_eq!(reading(|a, b| 2 * ((2 * i32::from(a) * signed(b)) << 16 >> 16)), None);
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    #[test]
    fn times_256_is_what_it_says() {
        let x = [i32::MIN + 255, -1, i32::MAX, 0x00ff_fffe];
        let times_256 = NativeSimd::times_256(NativeSimd::load_bytes(bytemuck::cast_ref(&x)));
        assert_eq!(lanes(NativeSimd::from_bits(times_256)).map(f32::to_bits), x.map(|x| (x << 8).cast_unsigned()));
    }

    #[test]
    fn sums_and_largest() {
        let x = NativeSimd::load(&[1.0, -8.0, 4.0, 2.0]);
        assert_eq!((sum::<NativeSimd>(x), largest::<NativeSimd>(x)), (-1.0, 4.0));
    }
}
