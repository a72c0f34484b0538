//! The types a tensor's elements can have in a GGUF file, as one table.
//!
//! Ids and sizes: `ggml.h`, `enum ggml_type`, and `ggml-common.h`, `block_*`,
//! <https://github.com/ggml-org/llama.cpp/tree/b6527/ggml>.

use std::fmt;

/// The table of types: calls the macro `$rows` with all of them. `quant` makes its modules and its codecs of the same rows.
macro_rules! dtypes {
    ($rows:ident) => {
        $rows! {
            floats {
            //  name      id, length and bytes of a block
                /// IEEE single.
                F32     =  0,   1,   4;
                /// IEEE half.
                F16     =  1,   1,   2;
                /// The upper half of an IEEE single.
                BF16    = 30,   1,   2;
            }
            blocks {
            //  name      id, length and bytes of a block, its file under `quant` and its struct there
                /// 4 bits, one scale per 32.
                Q4_0    =  2,  32,  18, q4_0::BlockQ4_0;
                /// 4 bits, scale and minimum per 32.
                Q4_1    =  3,  32,  20, q4_1::BlockQ4_1;
                /// 5 bits, one scale per 32.
                Q5_0    =  6,  32,  22, q5_0::BlockQ5_0;
                /// 5 bits, scale and minimum per 32.
                Q5_1    =  7,  32,  24, q5_1::BlockQ5_1;
                /// 8 bits, one scale per 32.
                Q8_0    =  8,  32,  34, q8_0::BlockQ8_0;
                /// 2 bits, 4-bit scales and minimums per 16.
                Q2_K    = 10, 256,  84, q2_k::BlockQ2_K;
                /// 3 bits, 6-bit scales per 16.
                Q3_K    = 11, 256, 110, q3_k::BlockQ3_K;
                /// 4 bits, 6-bit scales and minimums per 32.
                Q4_K    = 12, 256, 144, q4_k::BlockQ4_K;
                /// 5 bits, 6-bit scales and minimums per 32.
                Q5_K    = 13, 256, 176, q5_k::BlockQ5_K;
                /// 6 bits, 8-bit scales per 16.
                Q6_K    = 14, 256, 210, q6_k::BlockQ6_K;
                /// 4 bits through a codebook, one scale per 32.
                IQ4_NL  = 20,  32,  18, iq4_nl::BlockIQ4_NL;
                /// 4 bits through a codebook, 6-bit scales per 32.
                IQ4_XS  = 23, 256, 136, iq4_xs::BlockIQ4_XS;
                /// 4-bit floats, one power of two per 32.
                MXFP4   = 39,  32,  17, mxfp4::BlockMXFP4;
                /// 3 bits through a grid and signs, 4-bit scales per 32.
                IQ3_S   = 21, 256, 110, iq3_s::BlockIQ3_S;
            }
        }
    };
}
pub(crate) use dtypes;

macro_rules! define {
    (
        floats { $($(#[$float_doc:meta])* $float:ident = $float_id:literal, $float_len:literal, $float_bytes:literal;)* }
        blocks { $($(#[$doc:meta])* $name:ident = $id:literal, $len:literal, $bytes:literal, $file:ident::$block:ident;)* }
    ) => {
        define! {
            $($(#[$float_doc])* $float = $float_id, $float_len, $float_bytes;)*
            $($(#[$doc])* $name = $id, $len, $bytes;)*
        }
    };
    ($($(#[$doc:meta])* $name:ident = $id:literal, $len:literal, $bytes:literal;)*) => {
        /// How a tensor's elements are stored. Rows are made of whole blocks.
        #[allow(non_camel_case_types, reason = "the field's own names")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DType { $($(#[$doc])* $name,)* }

        impl DType {
            /// Every type this engine can read.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The type with ggml's number `id`, if this engine can read it.
            pub fn from_ggml_id(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$name),)* _ => None }
            }

            /// ggml's number for this type.
            pub fn ggml_id(self) -> u32 {
                match self { $(Self::$name => $id),* }
            }

            /// Elements in one block.
            pub const fn block_len(self) -> usize {
                match self { $(Self::$name => $len),* }
            }

            /// Bytes of one block.
            pub const fn block_bytes(self) -> usize {
                match self { $(Self::$name => $bytes),* }
            }

            /// The name that GGUF files and llama.cpp use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

dtypes!(define);

/// Types of ggml that this engine cannot read.
const UNREAD: [(u32, &str); 17] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (22, "IQ2_S"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl DType {
    /// ggml's name for its type `id`, also if this engine cannot read it.
    pub fn ggml_name(id: u32) -> Option<&'static str> {
        let unread = UNREAD.iter().find(|(unread, _)| *unread == id).map(|(_, name)| *name);
        Self::from_ggml_id(id).map(Self::name).or(unread)
    }

    /// Bytes of a row of `cols` elements, if `cols` is a whole number of blocks.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        cols.is_multiple_of(self.block_len()).then(|| cols / self.block_len() * self.block_bytes())
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
