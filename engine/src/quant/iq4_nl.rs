//! ggml's `block_iq4_nl` and `dequantize_row_iq4_nl`.

use super::bits::{half, spread};
use super::{Block, BlockScales, Quantized, Scale, Table16, Values, table16};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The IQ4_NL block: 32 weights share one scale; their 4 bits are places in a table.   w[i] = d · CODEBOOK[c[i]]
///
/// ```text
/// byte  0     2                                         18
///       | d   | c16 c0 | c17 c1 | …           | c31 c15 |
///         f16   4 bits each, the right one is the low one
///
/// q[i] = c[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockIQ4_NL {
    d: [u8; 2],
    c: [u8; 16],
}
const _: () = assert!(size_of::<BlockIQ4_NL>() == 18 && align_of::<BlockIQ4_NL>() == 1);

impl Block for BlockIQ4_NL {
    const DTYPE: DType = DType::IQ4_NL;
    const FORMAT: Quantized =
        Quantized { values: Values::Table16(&CODEBOOK), group_len: 32, scale: Scale::F16, has_offset: false };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.c, q);
        BlockScales::one(half(self.d))
    }
}

/// ggml's `kvalues_iq4nl`: dense around 0, where most weights are.
pub(super) const CODEBOOK: Table16 = table16![-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
