//! ggml's `block_q4_0` and `dequantize_row_q4_0`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q4_0 block: 32 weights share one scale.   w[i] = d · (q[i] − 8)
///
/// ```text
/// byte  0     2                                         18
///       | d   | q16 q0 | q17 q1 | …           | q31 q15 |
///         f16   4 bits each, the right one is the low one
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ4_0 {
    d: [u8; 2],
    q: [u8; 16],
}
const _: () = assert!(size_of::<BlockQ4_0>() == 18 && align_of::<BlockQ4_0>() == 1);

impl Block for BlockQ4_0 {
    const DTYPE: DType = DType::Q4_0;
    const FORMAT: Quantized =
        Quantized { values: Values::Linear { bits: 4, zero: 8 }, group_len: 32, scale: Scale::F16, has_offset: false };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.q, q);
        BlockScales::one(half(self.d))
    }
}
