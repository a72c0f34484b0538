//! Quantised weights: integers that share scales.
//!
//! A row of a tensor is cut into blocks, and each block stores small integers with what turns them back into floats. The
//! formats differ only in how they pack that. [`unpack`] takes the packing off, and then all of them are the same thing:
//!
//! ```text
//! w[i] = scale[i / group_len] · (q[i] − zero) + offset[i / group_len]
//! ```
//!
//! One file per format draws its bits. Layouts: `ggml-common.h`, arithmetic: `ggml-quants.c`, both at
//! <https://github.com/ggml-org/llama.cpp/tree/36491e4024b3016e6e2d21afc140add042b44bec/ggml/src>.

mod iq4_nl;
mod iq4_xs;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod float;
mod bits;
mod random;

pub(crate) use iq4_nl::{CODEBOOK, place_in_codebook};
pub use random::random_blocks;

use crate::dtype::DType;
use bytemuck::{AnyBitPattern, cast_slice};

/// What the unpacked weights of a type look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Weights that share a scale: 16 or 32.
    pub group_len: usize,
    /// Of each integer: 2 to 8.
    pub bits: u32,
    /// The integer of a weight that is 0, before the offset.
    pub zero: u8,
    /// Whether groups have offsets.
    pub has_offset: bool,
}

/// Unpacked weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    /// An integer per weight.
    pub q: Vec<u8>,
    /// A scale per group.
    pub scale: Vec<f32>,
    /// An offset per group; empty if the format has none.
    pub offset: Vec<f32>,
}

/// What the unpacked weights of `dtype` look like; none if they are floats already.
pub fn format(dtype: DType) -> Option<Format> {
    codec(dtype).quantised.map(|quantised| quantised.format)
}

/// Takes the packing off whole blocks, in place of what `groups` held. Panics if `dtype` has no [`format`].
pub fn unpack(dtype: DType, blocks: &[u8], groups: &mut Groups) {
    let quantised = codec(dtype).quantised.unwrap_or_else(|| panic!("unpack: {dtype} is not quantised"));
    (quantised.unpack)(blocks, groups);
}

/// The weights of whole blocks, exactly as ggml computes them.
pub fn dequantize(dtype: DType, blocks: &[u8], dst: &mut [f32]) {
    let weights = blocks.len() / dtype.block_bytes() * dtype.block_len();
    assert_eq!(dst.len(), weights, "dequantize: {} bytes of {dtype} are {weights} weights", blocks.len());
    (codec(dtype).dequantize)(blocks, dst);
}

/// What can be done with a type.
struct Codec {
    dequantize: fn(&[u8], &mut [f32]),
    quantised: Option<Quantised>,
}

struct Quantised {
    format: Format,
    unpack: fn(&[u8], &mut Groups),
}

fn codec(dtype: DType) -> Codec {
    match dtype {
        DType::F32 => Codec { dequantize: float::f32, quantised: None },
        DType::F16 => Codec { dequantize: float::f16, quantised: None },
        DType::BF16 => Codec { dequantize: float::bf16, quantised: None },
        DType::Q4_0 => codec_of::<q4_0::BlockQ4_0>(),
        DType::Q4_1 => codec_of::<q4_1::BlockQ4_1>(),
        DType::Q5_0 => codec_of::<q5_0::BlockQ5_0>(),
        DType::Q5_1 => codec_of::<q5_1::BlockQ5_1>(),
        DType::Q8_0 => codec_of::<q8_0::BlockQ8_0>(),
        DType::Q2_K => codec_of::<q2_k::BlockQ2_K>(),
        DType::Q3_K => codec_of::<q3_k::BlockQ3_K>(),
        DType::Q4_K => codec_of::<q4_k::BlockQ4_K>(),
        DType::Q5_K => codec_of::<q5_k::BlockQ5_K>(),
        DType::Q6_K => codec_of::<q6_k::BlockQ6_K>(),
        DType::IQ4_NL => codec_of::<iq4_nl::BlockIQ4_NL>(),
        DType::IQ4_XS => codec_of::<iq4_xs::BlockIQ4_XS>(),
    }
}

fn codec_of<B: Block>() -> Codec {
    let quantised = Quantised { format: B::FORMAT, unpack: unpack_blocks::<B> };
    Codec { dequantize: dequantize_blocks::<B>, quantised: Some(quantised) }
}

/// A block as it stands in a file. Bytes of a file have no alignment, so blocks have none either.
trait Block: AnyBitPattern {
    const DTYPE: DType;
    const FORMAT: Format;

    /// Fills `q`, one for every weight, all zero before; and one `scale` and `offset` for every group, the latter only if
    /// the format has them.
    fn unpack(&self, q: &mut [u8], scale: &mut [f32], offset: &mut [f32]);
}

fn unpack_blocks<B: Block>(bytes: &[u8], groups: &mut Groups) {
    let blocks: &[B] = cast_slice(bytes);
    let len = B::DTYPE.block_len();
    let n_groups = len / B::FORMAT.group_len;
    let n_offsets = if B::FORMAT.has_offset { n_groups } else { 0 };
    refill(&mut groups.q, blocks.len() * len);
    refill(&mut groups.scale, blocks.len() * n_groups);
    refill(&mut groups.offset, blocks.len() * n_offsets);
    let mut offset = groups.offset.chunks_exact_mut(n_groups);
    for ((block, q), scale) in
        blocks.iter().zip(groups.q.chunks_exact_mut(len)).zip(groups.scale.chunks_exact_mut(n_groups))
    {
        block.unpack(q, scale, offset.next().unwrap_or_default());
    }
}

fn refill<T: Copy + Default>(values: &mut Vec<T>, n: usize) {
    values.clear();
    values.resize(n, T::default());
}

fn dequantize_blocks<B: Block>(bytes: &[u8], dst: &mut [f32]) {
    let blocks: &[B] = cast_slice(bytes);
    let Format { group_len, zero, has_offset, .. } = B::FORMAT;
    let len = B::DTYPE.block_len();
    let n_groups = len / group_len;
    for (block, dst) in blocks.iter().zip(dst.chunks_exact_mut(len)) {
        let (mut q, mut scale, mut offset) = ([0; BLOCK_LEN_MAX], [0.0; GROUPS_MAX], [0.0; GROUPS_MAX]);
        block.unpack(&mut q[..len], &mut scale[..n_groups], &mut offset[..n_groups]);
        let groups = dst.chunks_exact_mut(group_len).zip(q.chunks_exact(group_len));
        for ((dst, q), (scale, offset)) in groups.zip(scale.into_iter().zip(offset)) {
            for (dst, q) in dst.iter_mut().zip(q) {
                let w = scale * f32::from(i16::from(*q) - i16::from(zero));
                // Without the condition, a weight of −0 would become +0.
                *dst = if has_offset { w + offset } else { w };
            }
        }
    }
}

/// Weights in the longest block, and its groups of 16.
const BLOCK_LEN_MAX: usize = 256;
const GROUPS_MAX: usize = BLOCK_LEN_MAX / 16;

#[cfg(test)]
mod tests;
