//! ggml's `block_q5_K` and `dequantize_row_q5_K`.

use super::bits::{scales_and_mins, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q5_K block: 256 weights in groups of 32, each with a scale and a minimum.   w[i] = d · s[g] · q[i] − dmin · m[g]
///
/// ```text
/// byte  0     2      4                        16                      48                                176
///       | d   | dmin | s and m, 6 bits each   | h224 … h32 h0 | …     | l32 l0 | l33 l1 | … | l255 l223 |
///         f16   f16    (`scales_and_mins`)      1 bit each, byte i      4 bits each, 32 bytes for each
///                                               has those of i + 32k    64 weights
///
/// q[i] = h[i] · 16 + l[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ5_K {
    d: [u8; 2],
    dmin: [u8; 2],
    s: [u8; 12],
    h: [u8; 32],
    l: [u8; 128],
}
const _: () = assert!(size_of::<BlockQ5_K>() == 176 && align_of::<BlockQ5_K>() == 1);

impl Block for BlockQ5_K {
    const DTYPE: DType = DType::Q5_K;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 5, zero: 0 },
        group_len: 32,
        scale: Scale::Super { factor_max: 63 },
        has_offset: true,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d), offset_of!(Self, dmin)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (packed, q) in self.l.chunks_exact(32).zip(q.chunks_exact_mut(64)) {
            spread::<4, 0>(packed, q);
        }
        spread::<1, 4>(&self.h, q);
        scales_and_mins(self.d, self.dmin, &self.s)
    }
}
