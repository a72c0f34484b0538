//! ggml's `block_q5_0` and `dequantize_row_q5_0`.

use super::bits::{add_fifth_bits, half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q5_0 block: 32 weights share one scale.   w[i] = d · (q[i] − 16)
///
/// ```text
/// byte  0     2                6                                         22
///       | d   | h0 h1 …    h31 | l16 l0 | l17 l1 | …           | l31 l15 |
///         f16   a bit each       4 bits each, the right one is the low one
///
/// q[i] = h[i] · 16 + l[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ5_0 {
    d: [u8; 2],
    h: [u8; 4],
    l: [u8; 16],
}
const _: () = assert!(size_of::<BlockQ5_0>() == 22 && align_of::<BlockQ5_0>() == 1);

impl Block for BlockQ5_0 {
    const DTYPE: DType = DType::Q5_0;
    const FORMAT: Quantized =
        Quantized { values: Values::Linear { bits: 5, zero: 16 }, group_len: 32, scale: Scale::F16, has_offset: false };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.l, q);
        add_fifth_bits(self.h, q);
        BlockScales::one(half(self.d))
    }
}
