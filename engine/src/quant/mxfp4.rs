//! ggml's `block_mxfp4` and `dequantize_row_mxfp4`.

use super::bits::spread;
use super::{Block, BlockScales, Quantized, Scale, Table16, Values, table16};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The MXFP4 block: 32 weights share a power of two; their 4 bits are floats of 2 bits of exponent and 1 of mantissa (E2M1).
/// w[i] = 2ᵉ⁻¹²⁸ · E2M1[c[i]]
///
/// ```text
/// byte  0     1                                         17
///       | e   | c16 c0 | c17 c1 | …           | c31 c15 |
///         u8    4 bits each, the right one is the low one
///
/// q[i] = c[i]
/// ```
///
/// <https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf>
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockMXFP4 {
    e: u8,
    c: [u8; 16],
}
const _: () = assert!(size_of::<BlockMXFP4>() == 17 && align_of::<BlockMXFP4>() == 1);

impl Block for BlockMXFP4 {
    const DTYPE: DType = DType::MXFP4;
    const FORMAT: Quantized =
        Quantized { values: Values::Table16(&E2M1), group_len: 32, scale: Scale::E8M0, has_offset: false };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, e)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        spread::<4, 0>(&self.c, q);
        BlockScales::one(half_of_power(self.e))
    }
}

/// The floats of E2M1, twice as large, so that they are integers.
const E2M1: Table16 = table16![0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// 2ᵉ⁻¹²⁸; the two least are subnormal.
#[inline(always)]
fn half_of_power(e: u8) -> f32 {
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { u32::from(e - 1) << 23 })
}
