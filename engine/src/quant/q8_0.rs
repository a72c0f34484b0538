//! ggml's `block_q8_0` and `dequantize_row_q8_0`.

use super::bits::half;
use super::{Block, BlockScales, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The Q8_0 block: 32 weights share one scale.   w[i] = d · q[i], and signed q[i] is unpacked as q[i] + 128
///
/// ```text
/// byte  0     2                         34
///       | d   | q0 | q1 | …       | q31 |
///         f16   i8 each
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ8_0 {
    d: [u8; 2],
    q: [u8; 32],
}
const _: () = assert!(size_of::<BlockQ8_0>() == 34 && align_of::<BlockQ8_0>() == 1);

impl Block for BlockQ8_0 {
    const DTYPE: DType = DType::Q8_0;
    const FORMAT: Quantized = Quantized {
        values: Values::Linear { bits: 8, zero: 128 },
        group_len: 32,
        scale: Scale::F16,
        has_offset: false,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (q, signed) in q.iter_mut().zip(self.q) {
            *q = signed ^ 128;
        }
        BlockScales::one(half(self.d))
    }
}
