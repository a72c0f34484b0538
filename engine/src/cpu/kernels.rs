//! Which of the ways to multiply a model uses.

use super::activations::Activations;
use super::dot::{Dot, DotI16x2};
use super::matrix::{self, Matrix};
use super::pool::Pool;
use super::vector::NativeSimd;
use crate::quant::Codec;

/// What depends on the way to multiply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels {
    /// See [`matrix::new`].
    pub(super) matrix: fn(Codec, usize, usize) -> Box<dyn Matrix>,
    /// See [`Activations::quantize`].
    pub(super) quantize: fn(&mut Activations, &Pool, &[f32], usize),
}

impl Kernels {
    fn new<D: Dot>() -> Self {
        Self { matrix: matrix::new::<D>, quantize: Activations::quantize::<D> }
    }

    /// The only ones of this build.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "relaxed-simd")))]
    pub(super) fn fastest() -> Self {
        Self::new::<DotI16x2<NativeSimd>>()
    }

    /// [`DotI8x4`](super::dot::DotI8x4) where the processor sums four products in one instruction. Where it takes several,
    /// they are more than those of [`DotI16x2`].
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    pub(super) fn fastest() -> Self {
        use super::dot::DotI8x4;
        use super::vector::{Reading, reading_of_dots};
        match reading_of_dots::<NativeSimd>() {
            Some(Reading::Unsigned) => Self::new::<DotI8x4<NativeSimd, true>>(),
            Some(Reading::Signed) => Self::new::<DotI8x4<NativeSimd, false>>(),
            None => Self::new::<DotI16x2<NativeSimd>>(),
        }
    }
}
