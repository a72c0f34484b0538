//! ggml's `block_q4_K` and `dequantize_row_q4_K`.

use super::bits::{scales_and_mins, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q4_K block: 256 weights in groups of 32, each with a scale and a minimum.   w[i] = d · s[g] · q[i] − dmin · m[g]
///
/// ```text
/// byte  0     2      4                        16                                                      144
///       | d   | dmin | s and m, 6 bits each   | q32 q0 | q33 q1 | … | q63 q31 | q96 q64 | … | q255 q223 |
///         f16   f16    (`scales_and_mins`)      4 bits each, 32 bytes for each 64 weights
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ4_K {
    d: [u8; 2],
    dmin: [u8; 2],
    s: [u8; 12],
    q: [u8; 128],
}
const _: () = assert!(size_of::<BlockQ4_K>() == 144 && align_of::<BlockQ4_K>() == 1);

impl Block for BlockQ4_K {
    const DTYPE: DType = DType::Q4_K;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 4, zero: 0 },
        group_len: 32,
        scale: Scale::Super { factor_max: 63 },
        has_offset: true,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d), offset_of!(Self, dmin)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (packed, q) in self.q.chunks_exact(32).zip(q.chunks_exact_mut(64)) {
            spread::<4, 0>(packed, q);
        }
        scales_and_mins(self.d, self.dmin, &self.s)
    }
}
