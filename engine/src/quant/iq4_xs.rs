//! ggml's `block_iq4_xs` and `dequantize_row_iq4_xs`.

use super::bits::{half, spread};
use super::iq4_nl::CODEBOOK;
use super::{Block, BlockScales, GROUPS_MAX, Quantized, Scale, Values};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;
use std::mem::offset_of;

/// The IQ4_XS block: 256 weights in groups of 32, each with a scale; the weights' 4 bits are places in IQ4_NL's table.
/// w[i] = d · (s[g] − 32) · CODEBOOK[c[i]]
///
/// ```text
/// byte  0     2              4                     8                                                     136
///       | d   | s0 s1 … s7   | s1 s0 | … | s7 s6   | c16 c0 | c17 c1 | … | c31 c15 | c48 c32 | … | c255 c239 |
///         f16   u16, the high  the low 4 bits        4 bits each, 16 bytes for each 32 weights
///               2 bits each
///
/// q[i] = c[i]
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockIQ4_XS {
    d: [u8; 2],
    s_high: [u8; 2],
    s_low: [u8; 4],
    c: [u8; 128],
}
const _: () = assert!(size_of::<BlockIQ4_XS>() == 136 && align_of::<BlockIQ4_XS>() == 1);

impl Block for BlockIQ4_XS {
    const DTYPE: DType = DType::IQ4_XS;
    const FORMAT: Quantized = Quantized {
        values: Values::Table16(&CODEBOOK),
        group_len: 32,
        scale: Scale::Super { factor_max: 32 },
        has_offset: false,
    };
    const MULTIPLIERS: &[usize] = &[offset_of!(Self, d)];

    #[inline(always)]
    fn unpack(&self, q: &mut [u8]) -> BlockScales {
        for (packed, q) in self.c.chunks_exact(16).zip(q.chunks_exact_mut(32)) {
            spread::<4, 0>(packed, q);
        }
        let s_high = u16::from_le_bytes(self.s_high);
        let mut s = [0; GROUPS_MAX];
        for (group, s) in s.iter_mut().take(8).enumerate() {
            let low = self.s_low[group / 2] >> (group % 2 * 4) & 15;
            let high = (s_high >> (group * 2) & 3) as u8;
            *s = (high << 4 | low).cast_signed() - 32;
        }
        BlockScales::factors(half(self.d), s)
    }
}
