//! Ops, a file each: the fields with their shapes, what the op touches, and its line of a printed plan.

mod add;
mod attention;
mod conv;
mod embed;
mod glu;
mod matmul;
mod mul;
mod rms_norm;
mod rope;
mod store;
mod take_outputs;

pub use attention::AttentionShape;
pub use glu::Activation;
pub use rope::{RopePairs, RopeParams};

use super::{Buf, Mem, Plan, Weight};

/// What an op touches. From it follow which weights are matrices, what may be fused, and which buffer is dead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Buffers whose contents it needs.
    pub reads: Vec<Buf>,
    /// Buffers that it fills; one that is also read is changed in place.
    pub writes: Vec<Buf>,
    /// Weights, and what for.
    pub weights: Vec<(Weight, Role)>,
    /// The memory that it reads or changes.
    pub memory: Option<Mem>,
}

/// What an op needs a weight for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Every row is multiplied by activations.
    Matrix,
    /// Some rows are looked up.
    Rows,
    /// All of it is read as f32, `[rows, cols]`: gains, biases, divisors, the kernel of a convolution.
    Dense,
}

impl Role {
    /// Whether the weight stays in its packed type, as its rows are multiplied or looked up.
    pub fn is_packed(self) -> bool {
        match self {
            Self::Matrix | Self::Rows => true,
            Self::Dense => false,
        }
    }
}

/// Makes one closed choice of the ops.
macro_rules! ops {
    ($($module:ident::$op:ident),* $(,)?) => {
        $(pub use $module::$op;)*

        /// One step of a plan.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($op), "`].")] $op($op),)*
        }

        $(impl From<$op> for Op {
            fn from(op: $op) -> Self {
                Self::$op(op)
            }
        })*

        impl Op {
            /// The names of all ops.
            pub const NAMES: &[&str] = &[$(stringify!($op)),*];

            /// The op's name, as in [`Self::NAMES`].
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$op(_) => stringify!($op),)*
                }
            }

            /// What it touches.
            pub fn uses(&self) -> Uses {
                match self {
                    $(Self::$op(op) => op.uses(),)*
                }
            }

            /// Its line of the printed plan: what is written, the op, what is read, the constants.
            pub fn line(&self, plan: &Plan) -> String {
                match self {
                    $(Self::$op(op) => op.line(plan),)*
                }
            }
        }
    };
}

ops! {
    embed::Embed,
    rms_norm::RmsNorm,
    matmul::MatMul,
    rope::Rope,
    store::Store,
    attention::Attention,
    conv::Conv,
    add::Add,
    mul::Mul,
    glu::Glu,
    take_outputs::TakeOutputs,
}
