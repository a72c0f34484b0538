//! ggml's `block_q4_1` and `dequantize_row_q4_1`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q4_1 block: 32 weights share a scale and an offset.   w[i] = d · q[i] + m
///
/// ```text
/// byte  0     2     4                                         20
///       | d   | m   | q16 q0 | q17 q1 | …           | q31 q15 |
///         f16   f16   4 bits each, the right one is the low one
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ4_1 {
    d: [u8; 2],
    m: [u8; 2],
    q: [u8; 16],
}
const _: () = assert!(size_of::<BlockQ4_1>() == 20 && align_of::<BlockQ4_1>() == 1);

impl Block for BlockQ4_1 {
    const DTYPE: DType = DType::Q4_1;
    const FORMAT: Quantized =
        Quantized { values: Values::Linear { bits: 4, zero: 0 }, group_len: 32, scale: Scale::F16, has_offset: true };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d), offset_of!(Self, m)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.q, q);
        BlockScales::with_offset(half(self.d), half(self.m))
    }
}
