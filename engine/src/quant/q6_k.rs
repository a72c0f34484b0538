//! ggml's `block_q6_K` and `dequantize_row_q6_K`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q6_K block: 256 weights in groups of 16, each with a scale.   w[i] = d · s[g] · (q[i] − 32)
///
/// ```text
/// byte  0                                       128                              192              208   210
///       | l64 l0 | l65 l1 | … | l127 l63 | …    | h96 h64 h32 h0 | …             | s0 | … | s15   | d   |
///         4 bits each, 64 bytes for each          2 bits each, 32 bytes for each   i8 each          f16
///         128 weights                             128 weights
///
/// q[i] = h[i] · 16 + l[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ6_K {
    l: [u8; 128],
    h: [u8; 64],
    s: [i8; 16],
    d: [u8; 2],
}
const _: () = assert!(size_of::<BlockQ6_K>() == 210 && align_of::<BlockQ6_K>() == 1);

impl Block for BlockQ6_K {
    const DTYPE: DType = DType::Q6_K;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 6, zero: 32 },
        group_len: 16,
        scale: Scale::Super { factor_max: 128 },
        has_offset: false,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for ((l, h), q) in self.l.chunks_exact(64).zip(self.h.chunks_exact(32)).zip(q.chunks_exact_mut(128)) {
            spread::<4, 0>(l, q);
            spread::<2, 4>(h, q);
        }
        BlockScales::factors(half(self.d), self.s)
    }
}
