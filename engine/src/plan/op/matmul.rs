//! Matrix times vectors.

use super::{Role, Uses};
use crate::plan::{Buf, Plan, Weight};

/// `dst[t] = scale · (weight · x[t] + bias)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatMul {
    /// `[n, cols]`.
    pub x: Buf,
    /// `[rows, cols]`.
    pub weight: Weight,
    /// `[rows]`.
    pub bias: Option<Weight>,
    /// Multiplies every result; mostly 1.
    pub scale: f32,
    /// `[n, rows]`.
    pub dst: Buf,
}

impl MatMul {
    pub(super) fn uses(&self) -> Uses {
        let bias = self.bias.map(|bias| (bias, Role::Dense));
        let weights = [(self.weight, Role::Matrix)].into_iter().chain(bias).collect();
        Uses { reads: vec![self.x], writes: vec![self.dst], weights, memory: None }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        let Self { x, weight, bias, scale, dst } = *self;
        let bias = bias.map(|bias| format!(" bias {}", plan.tensor(bias))).unwrap_or_default();
        let scale = if scale == 1.0 { String::new() } else { format!(" scale {scale}") };
        format!("{} = matmul {} {}{bias}{scale}", plan.label(dst), plan.tensor(weight), plan.label(x))
    }
}
