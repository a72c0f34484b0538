//! Quantized weights: integers that share scales.
//!
//! A row of a tensor is cut into blocks, and each block stores small integers with what turns them back into floats. The
//! types differ only in how they pack that. [`Codec::unpack`] takes the packing off, and then all of them are one equation:
//!
//! ```text
//! w[i] = scale[g] · value(q[i]) + offset[g],    g = i / group_len,    value(q) = q − zero   or   table[q]
//! scale[g] = d · s[g],    offset[g] = −dmin · m[g]
//! ```
//!
//! What the numbers in it are is the type's [`Format`]: kernels are chosen by it, and never see the type itself, of which they
//! hold no more than a [`Codec`].
//!
//! One file per type draws its bits; its row in [`dtype`](crate::dtype) makes it a module here. Layouts: `ggml-common.h`,
//! arithmetic: `ggml-quants.c`, both at
//! <https://github.com/ggml-org/llama.cpp/tree/36491e4024b3016e6e2d21afc140add042b44bec/ggml/src>.

mod float;
mod bits;
mod codec;
mod format;
mod random;

pub use codec::{Codec, Groups};
pub use format::{BlockScales, Format, Quantized, Scale, Table16, Values};
pub use random::random_blocks;

use crate::dtype::{DType, dtypes};
use bytemuck::AnyBitPattern;
use codec::{Methods, methods_of};
use format::table16;

/// Weights in the longest block, and its groups of 16.
const BLOCK_LEN_MAX: usize = 256;
const GROUPS_MAX: usize = BLOCK_LEN_MAX / 16;

/// A block as it stands in a file. Bytes of a file have no alignment, so blocks have none either.
trait Block: AnyBitPattern {
    const DTYPE: DType;
    const FORMAT: Quantized;
    /// Where in the block its multipliers stand, of scales and then of offsets: f16, or one byte where they are E8M0.
    const MULTIPLIERS: &[usize];

    /// Fills `q`, an integer for every weight, all of them zero before; returns the block's scales.
    fn unpack(&self, q: &mut [u8]) -> BlockScales;
}

macro_rules! types {
    (
        floats { $($(#[$float_doc:meta])* $float:ident = $($float_numbers:literal),*;)* }
        blocks { $($(#[$doc:meta])* $name:ident = $($numbers:literal),*, $file:ident::$block:ident;)* }
    ) => {
        $(mod $file;)*

        impl Codec {
            $($(#[$float_doc])* pub const $float: Self = Self::new(DType::$float);)*
            $($(#[$doc])* pub const $name: Self = Self::new(DType::$name);)*
            /// Of every type that this engine can read.
            pub const ALL: &[Self] = &[$(Self::$float,)* $(Self::$name,)*];
        }

        fn methods(dtype: DType) -> Methods {
            match dtype {
                $(DType::$float => float::$float,)*
                $(DType::$name => methods_of::<$file::$block>(),)*
            }
        }
    };
}
dtypes!(types);

#[cfg(test)]
mod tests;
