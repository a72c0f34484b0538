//! ggml's `block_q2_K` and `dequantize_row_q2_K`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q2_K block: 256 weights in groups of 16, each with a scale and a minimum.   w[i] = d · s[g] · q[i] − dmin · m[g]
///
/// ```text
/// byte  0                             16                              48                80    82     84
///       | m0 s0 | m1 s1 | … | m15 s15 | q96 q64 q32 q0 | …            | q224 … q128 | … | d   | dmin |
///         4 bits each                   2 bits each, bytes 16 to 47       as before       f16   f16
///                                       hold the weights 0 to 127
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ2_K {
    s: [u8; 16],
    q: [u8; 64],
    d: [u8; 2],
    dmin: [u8; 2],
}
const _: () = assert!(size_of::<BlockQ2_K>() == 84 && align_of::<BlockQ2_K>() == 1);

impl Block for BlockQ2_K {
    const DTYPE: DType = DType::Q2_K;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 2, zero: 0 },
        group_len: 16,
        scale: Scale::Super { factor_max: 15 },
        has_offset: true,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d), offset_of!(Self, dmin)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (packed, q) in self.q.chunks_exact(32).zip(q.chunks_exact_mut(128)) {
            spread::<2, 0>(packed, q);
        }
        let nibbles = |shift: u32| self.s.map(|s| (s >> shift & 15).cast_signed());
        BlockScales { d: half(self.d), s: nibbles(0), dmin: half(self.dmin), m: nibbles(4) }
    }
}
