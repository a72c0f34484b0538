//! Which of the ways to multiply a model uses: chosen once, when it is loaded.

use super::activations::Activations;
use super::dot::{Dot, Pairs};
use super::matrix::{self, Matrix};
use super::vector::Best;
use crate::dtype::DType;

/// What depends on the way to multiply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels {
    /// See [`matrix::new`].
    pub(super) matrix: fn(DType, usize, usize) -> Box<dyn Matrix>,
    /// See [`Activations::quantize`].
    pub(super) quantize: fn(&mut Activations, &[f32], usize),
}

impl Kernels {
    fn new<D: Dot>() -> Self {
        Self { matrix: matrix::new::<D>, quantize: Activations::quantize::<D> }
    }

    /// The fastest ones.
    pub(super) fn fastest() -> Self {
        Self::new::<Pairs<Best>>()
    }
}
