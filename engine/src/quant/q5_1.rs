//! ggml's `block_q5_1` and `dequantize_row_q5_1`.

use super::bits::{add_fifth_bits, half, spread};
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q5_1 block: 32 weights share a scale and an offset.   w[i] = d · q[i] + m
///
/// ```text
/// byte  0     2     4                8                                         24
///       | d   | m   | h0 h1 …    h31 | l16 l0 | l17 l1 | …           | l31 l15 |
///         f16   f16   a bit each       4 bits each, the right one is the low one
///
/// q[i] = h[i] · 16 + l[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ5_1 {
    d: [u8; 2],
    m: [u8; 2],
    h: [u8; 4],
    l: [u8; 16],
}
const _: () = assert!(size_of::<BlockQ5_1>() == 24 && align_of::<BlockQ5_1>() == 1);

impl Block for BlockQ5_1 {
    const DTYPE: DType = DType::Q5_1;
    const FORMAT: Quantized =
        Quantized { values: Values::Linear { bits: 5, zero: 0 }, group_len: 32, scale: Scale::F16, has_offset: true };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d), offset_of!(Self, m)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.l, q);
        add_fifth_bits(self.h, q);
        BlockScales::with_offset(half(self.d), half(self.m))
    }
}
