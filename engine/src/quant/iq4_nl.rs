//! ggml's `block_iq4_nl` and `dequantize_row_iq4_nl`.

use super::bits::{half, spread};
use super::{Block, Format};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;

/// The IQ4_NL block: 32 weights share one scale; their 4 bits are places in a table.   w[i] = d · CODEBOOK[c[i]]
///
/// ```text
/// byte  0     2                                         18
///       | d   | c16 c0 | c17 c1 | …           | c31 c15 |
///         f16   4 bits each, the right one is the low one
///
/// q[i] = CODEBOOK[c[i]] + 128
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
    const FORMAT: Format = Format { group_len: 32, bits: 8, zero: 128, has_offset: false };

    #[inline(always)]
    fn unpack(&self, q: &mut [u8], scale: &mut [f32], _: &mut [f32]) {
        spread::<4, 0>(&self.c, q);
        look_up(q);
        scale[0] = half(self.d);
    }
}

/// ggml's `kvalues_iq4nl`: dense around 0, where most weights are.
pub(crate) const CODEBOOK: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Where in the table an unpacked integer stands.
pub(crate) fn place_in_codebook(q: u8) -> u8 {
    let value = (q ^ 128).cast_signed();
    u8::try_from(CODEBOOK.partition_point(|entry| *entry < value)).expect("the table has 16 entries")
}

/// Replaces places in the table by what stands there, plus 128.
#[inline(always)]
pub(super) fn look_up(q: &mut [u8]) {
    for q in q {
        *q = CODEBOOK[usize::from(*q & 15)].cast_unsigned() ^ 128;
    }
}
