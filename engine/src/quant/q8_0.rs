//! ggml's `block_q8_0` and `dequantize_row_q8_0`.

use super::bits::half;
use super::{Block, Format};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;

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
    const FORMAT: Format = Format { group_len: 32, bits: 8, zero: 128, has_offset: false };

    #[inline(always)]
    fn unpack(&self, q: &mut [u8], scale: &mut [f32], _: &mut [f32]) {
        for (q, signed) in q.iter_mut().zip(self.q) {
            *q = signed ^ 128;
        }
        scale[0] = half(self.d);
    }
}
