//! ggml's `block_q3_K` and `dequantize_row_q3_K`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q3_K block: 256 weights in groups of 16, each with a scale.   w[i] = d · (s[g] − 32) · (q[i] − 4)
///
/// ```text
/// byte  0                         32                                           96          104        108   110
///       | h224 … h64 h32 h0 | …   | l96 l64 l32 l0 | … | l224 … l128 | …       | s8 s0 | … | s12 … s0 | d   |
///         1 bit each, byte i        2 bits each, 32 bytes for each 128 weights   the low     the high   f16
///         has those of i + 32k                                                   4 bits      2 bits
///
/// q[i] = h[i] · 4 + l[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ3_K {
    h: [u8; 32],
    l: [u8; 64],
    s_low: [u8; 8],
    s_high: [u8; 4],
    d: [u8; 2],
}
const _: () = assert!(size_of::<BlockQ3_K>() == 110 && align_of::<BlockQ3_K>() == 1);

impl Block for BlockQ3_K {
    const DTYPE: DType = DType::Q3_K;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 3, zero: 4 },
        group_len: 16,
        scale: Scale::Super { factor_max: 32 },
        has_offset: false,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (packed, q) in self.l.chunks_exact(32).zip(q.chunks_exact_mut(128)) {
            spread::<2, 0>(packed, q);
        }
        spread::<1, 2>(&self.h, q);
        let mut s = [0; 16];
        spread::<4, 0>(&self.s_low, &mut s);
        spread::<2, 4>(&self.s_high, &mut s);
        BlockScales::factors(half(self.d), s.map(|s: u8| s.cast_signed() - 32))
    }
}
