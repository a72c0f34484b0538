//! What can be done with the bytes of a type.

use super::{BLOCK_LEN_MAX, Block, BlockScales, Format, Quantized, Scale, methods};
use crate::dtype::DType;
use bytemuck::cast_slice;
use std::fmt;

/// How the bytes of a tensor become weights: all that backends hold of its type. They choose by its [`Format`] alone.
#[derive(Clone, Copy)]
pub struct Codec(DType);

/// Unpacked weights of whole blocks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    /// An integer per weight.
    pub q: Vec<u8>,
    /// A scale per group.
    pub scale: Vec<f32>,
    /// An offset per group; empty if the format has none.
    pub offset: Vec<f32>,
    /// Multipliers and factors per superblock, whose products `scale` and `offset` are; empty if the format has none.
    pub supers: Vec<BlockScales>,
}

/// What a type's own file says.
#[derive(Clone, Copy)]
pub(super) struct Methods {
    pub(super) format: Format,
    /// See [`Block::MULTIPLIERS`].
    pub(super) multipliers: &'static [usize],
    pub(super) dequantize: fn(&[u8], &mut [f32]),
    /// None of floats.
    pub(super) unpack: Option<fn(&[u8], &mut Groups)>,
}

impl Codec {
    pub(super) const fn new(dtype: DType) -> Self {
        Self(dtype)
    }

    /// What the weights look like.
    pub fn format(self) -> Format {
        methods(self.0).format
    }

    /// Where a block has its multipliers.
    pub(super) fn multipliers(self) -> &'static [usize] {
        methods(self.0).multipliers
    }

    /// Weights in one block.
    pub fn block_len(self) -> usize {
        self.0.block_len()
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        self.0.block_bytes()
    }

    /// Bytes of a row of `cols` weights, if `cols` is a whole number of blocks.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        self.0.row_bytes(cols)
    }

    /// Takes the packing off whole blocks, in place of what `groups` held. Panics if the weights are floats.
    pub fn unpack(self, blocks: &[u8], groups: &mut Groups) {
        let unpack = methods(self.0).unpack.unwrap_or_else(|| panic!("unpack: {self} is not quantized"));
        unpack(blocks, groups);
    }

    /// The weights of whole blocks, exactly as ggml computes them.
    pub fn dequantize(self, blocks: &[u8], dst: &mut [f32]) {
        let weights = blocks.len() / self.block_bytes() * self.block_len();
        assert_eq!(dst.len(), weights, "dequantize: {} bytes of {self} are {weights} weights", blocks.len());
        (methods(self.0).dequantize)(blocks, dst);
    }
}

impl From<DType> for Codec {
    fn from(dtype: DType) -> Self {
        Self(dtype)
    }
}

// Not derived: what could be a pattern would be matched on.
impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Codec {}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

pub(super) fn methods_of<B: Block>() -> Methods {
    Methods {
        format: Format::Quantized(B::FORMAT),
        multipliers: B::MULTIPLIERS,
        dequantize: dequantize_blocks::<B>,
        unpack: Some(unpack_blocks::<B>),
    }
}

fn unpack_blocks<B: Block>(bytes: &[u8], groups: &mut Groups) {
    let blocks: &[B] = cast_slice(bytes);
    let Quantized { group_len, scale, has_offset, .. } = B::FORMAT;
    let len = B::DTYPE.block_len();
    let n_groups = len / group_len;
    groups.q.clear();
    groups.q.resize(blocks.len() * len, 0);
    groups.scale.clear();
    groups.offset.clear();
    groups.supers.clear();
    for (block, q) in blocks.iter().zip(groups.q.chunks_exact_mut(len)) {
        let scales = block.unpack(q);
        groups.scale.extend((0..n_groups).map(|group| scales.scale(group)));
        if has_offset {
            groups.offset.extend((0..n_groups).map(|group| scales.offset(group)));
        }
        if let Scale::Super { .. } = scale {
            groups.supers.push(scales);
        }
    }
}

fn dequantize_blocks<B: Block>(bytes: &[u8], dst: &mut [f32]) {
    let blocks: &[B] = cast_slice(bytes);
    let Quantized { values, group_len, has_offset, .. } = B::FORMAT;
    let len = B::DTYPE.block_len();
    for (block, dst) in blocks.iter().zip(dst.chunks_exact_mut(len)) {
        let mut q = [0; BLOCK_LEN_MAX];
        let scales = block.unpack(&mut q[..len]);
        for (group, (dst, q)) in dst.chunks_exact_mut(group_len).zip(q.chunks_exact(group_len)).enumerate() {
            let (scale, offset) = (scales.scale(group), scales.offset(group));
            for (dst, q) in dst.iter_mut().zip(q) {
                let w = scale * f32::from(values.value(*q));
                // Without the condition, a weight of −0 would become +0.
                *dst = if has_offset { w + offset } else { w };
            }
        }
    }
}
