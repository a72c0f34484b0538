//! The gated nonlinearity of feed-forward layers. <https://arxiv.org/abs/2002.05202>

use super::Reference;
use crate::plan::{Activation, op};

/// √(2/π), of GELU's tanh approximation. <https://arxiv.org/abs/1606.08415>
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The cubic coefficient of the same.
const GELU_CUBIC: f32 = 0.044_715;

/// gate = activation(gate) · up.
pub fn glu(gate: &mut [f32], up: &[f32], activation: Activation) {
    gate.iter_mut().zip(up).for_each(|(gate, up)| *gate = activate(*gate, activation) * up);
}

/// activation(x).
pub fn activate(x: f32, activation: Activation) -> f32 {
    match activation {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * (1.0 + (SQRT_2_OVER_PI * x * (1.0 + GELU_CUBIC * x * x)).tanh()),
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::Glu) {
    let up = reference.buf(op.up);
    glu(&mut reference.bufs[op.gate.0], &up, op.activation);
}
