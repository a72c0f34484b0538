//! How blocks spread the bits of their integers over bytes.

use super::{BlockScales, GROUPS_MAX};
use half::f16;

/// Each byte holds `BITS` bits of several weights, the lowest first: byte `l` of `n` serves the weights `l`, `l + n`,
/// `l + 2n`, … They become the bits from `TO` of `q`, which are 0 before.
///
/// ```text
/// bytes  b0  b1  …  bn−1        q  [ the lowest bits of b0 … bn−1 | the next of b0 … bn−1 | … ]
/// ```
#[inline(always)]
pub(super) fn spread<const BITS: u32, const TO: u32>(bytes: &[u8], q: &mut [u8]) {
    let mask = (1u8 << BITS) - 1;
    for (plane, q) in (0..8).step_by(BITS as usize).zip(q.chunks_exact_mut(bytes.len())) {
        for (q, byte) in q.iter_mut().zip(bytes) {
            *q |= ((byte >> plane) & mask) << TO;
        }
    }
}

/// The fifth bit of 32 weights, in their order.
#[inline(always)]
pub(super) fn add_fifth_bits(bits: [u8; 4], q: &mut [u8]) {
    let bits = u32::from_le_bytes(bits);
    for (i, q) in q.iter_mut().enumerate() {
        *q |= u8::from(bits >> i & 1 != 0) << 4;
    }
}

/// A half-precision float as it stands in a block.
#[inline(always)]
pub(super) fn half(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

/// The scales of Q4_K and Q5_K: 8 groups' factors of scale and minimum, 6 bits each.
///
/// ```text
/// byte  0              4              8              12
///       | s0 s1 s2 s3  | m0 m1 m2 m3  | the low 4 bits of s4 … s7, above them those of m4 … m7 |
/// ```
///
/// The first eight bytes have two bits to spare: there are the high bits of s4 … s7 and m4 … m7.
#[inline(always)]
pub(super) fn scales_and_mins(d: [u8; 2], dmin: [u8; 2], packed: &[u8; 12]) -> BlockScales {
    let (mut s, mut m) = ([0; GROUPS_MAX], [0; GROUPS_MAX]);
    for i in 0..4 {
        s[i] = (packed[i] & 63).cast_signed();
        m[i] = (packed[i + 4] & 63).cast_signed();
        s[i + 4] = (packed[i + 8] & 15 | packed[i] >> 6 << 4).cast_signed();
        m[i + 4] = (packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4).cast_signed();
    }
    BlockScales { d: half(d), s, dmin: half(dmin), m }
}
