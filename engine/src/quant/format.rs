//! What weights look like once their bits are unpacked.

use super::GROUPS_MAX;

/// What a type's weights look like: all that kernels are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// IEEE singles.
    F32,
    /// IEEE halves.
    F16,
    /// Upper halves of IEEE singles.
    BF16,
    /// Integers that share scales.
    Quantized(Quantized),
}

/// The format of integers that share scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quantized {
    /// What an integer stands for.
    pub values: Values,
    /// Weights that share a scale: 16, or a multiple of 32.
    pub group_len: usize,
    /// How a group's scale is stored.
    pub scale: Scale,
    /// Whether groups have offsets, stored as their scales are.
    pub has_offset: bool,
}

/// What an unpacked integer stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Values {
    /// q − zero, with q < 2ᵇⁱᵗˢ.
    Linear {
        /// Of each integer: 1 to 8.
        bits: u32,
        /// The integer of a weight that is 0, before the offset.
        zero: u8,
    },
    /// table[q], with q < 16.
    Table16(&'static Table16),
}

/// How a group's scale is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// As an f16.
    F16,
    /// As the exponent of a power of two, a byte.
    E8M0,
    /// As a small integer, which an f16 of the superblock of 256 weights multiplies.
    Super {
        /// The largest magnitude of these integers: 128 at most.
        factor_max: u8,
    },
}

/// Sixteen integers that 4 bits choose from.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Table16 {
    /// The integers.
    pub values: [i8; 16],
    /// The integers as float literals with commas between, as shaders want them.
    pub literals: &'static str,
}

/// A [`Table16`] of these integers.
macro_rules! table16 {
    ($($value:literal),*) => {
        $crate::quant::Table16 { values: [$($value),*], literals: concat!($(stringify!($value), ".0, "),*) }
    };
}
pub(super) use table16;

impl Values {
    /// What the unpacked integer `q` stands for.
    #[inline(always)]
    pub fn value(self, q: u8) -> i16 {
        match self {
            Self::Linear { zero, .. } => i16::from(q) - i16::from(zero),
            Self::Table16(table) => table.values[usize::from(q & 15)].into(),
        }
    }

    /// Every unpacked integer that there can be.
    pub fn integers(self) -> impl Iterator<Item = u8> {
        let count = match self {
            Self::Linear { bits, .. } => 1 << bits,
            Self::Table16(_) => 16,
        };
        (0..=u8::MAX).take(count)
    }
}

/// What turns the integers of a block into weights: scale\[g\] = d · s\[g\], offset\[g\] = −dmin · m\[g\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockScales {
    /// Multiplies the groups' factors.
    pub d: f32,
    /// A factor a group; 1 where a block is one group.
    pub s: [i8; GROUPS_MAX],
    /// Multiplies the groups' minimums.
    pub dmin: f32,
    /// A minimum a group.
    pub m: [i8; GROUPS_MAX],
}

impl BlockScales {
    /// Of a block that is one group.
    pub(super) const fn one(d: f32) -> Self {
        Self::with_offset(d, -0.0)
    }

    /// Of a block that is one group, with an offset.
    pub(super) const fn with_offset(d: f32, offset: f32) -> Self {
        Self { d, s: [1; GROUPS_MAX], dmin: -offset, m: [1; GROUPS_MAX] }
    }

    /// Of a superblock whose groups have no offsets.
    pub(super) const fn factors(d: f32, s: [i8; GROUPS_MAX]) -> Self {
        Self { d, s, dmin: 0.0, m: [0; GROUPS_MAX] }
    }

    /// The scale of a group.
    #[inline(always)]
    pub fn scale(&self, group: usize) -> f32 {
        self.d * f32::from(self.s[group])
    }

    /// The offset of a group.
    #[inline(always)]
    pub fn offset(&self, group: usize) -> f32 {
        -(self.dmin * f32::from(self.m[group]))
    }
}
