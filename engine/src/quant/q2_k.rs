//! ggml's `block_q2_K` and `dequantize_row_q2_K`.

use super::bits::{half, spread};
use super::{Block, Format};
use crate::dtype::DType;
use bytemuck::AnyBitPattern;

/// The Q2_K block: 256 weights in groups of 16, each with a scale and a minimum.   w[i] = d · s[g] · q[i] − dmin · m[g]
///
/// ```text
/// byte  0                             16                              48                80    82     84
///       | m0 s0 | m1 s1 | … | m15 s15 | q96 q64 q32 q0 | …            | q224 … q128 | … | d   | dmin |
///         4 bits each                   2 bits each, bytes 16 to 47       as before       f16   f16
///                                       hold the weights 0 to 127
/// ```
#[repr(C)]
#[derive(Clone, Copy, AnyBitPattern)]
pub(super) struct BlockQ2_K {
    s: [u8; 16],
    q: [u8; 64],
    d: [u8; 2],
    dmin: [u8; 2],
}
const _: () = assert!(size_of::<BlockQ2_K>() == 84 && align_of::<BlockQ2_K>() == 1);

impl Block for BlockQ2_K {
    const DTYPE: DType = DType::Q2_K;
    const FORMAT: Format = Format { group_len: 16, bits: 2, zero: 0, has_offset: true };

    #[inline(always)]
    fn unpack(&self, q: &mut [u8], scale: &mut [f32], offset: &mut [f32]) {
        for (packed, q) in self.q.chunks_exact(32).zip(q.chunks_exact_mut(128)) {
            spread::<2, 0>(packed, q);
        }
        let (d, dmin) = (half(self.d), half(self.dmin));
        for ((s, scale), offset) in self.s.iter().zip(scale).zip(offset) {
            *scale = d * f32::from(s & 15);
            *offset = -(dmin * f32::from(s >> 4));
        }
    }
}
