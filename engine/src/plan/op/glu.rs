//! The gated nonlinearity of feed-forward layers. <https://arxiv.org/abs/2002.05202>

use super::Uses;
use crate::plan::{Buf, Plan};

/// gate = activation(gate) · up, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glu {
    /// `[n, width]`, changed in place.
    pub gate: Buf,
    /// As gate.
    pub up: Buf,
    /// The nonlinearity.
    pub activation: Activation,
}

/// The nonlinearity of a gated feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// The tanh approximation of GELU. <https://arxiv.org/abs/1606.08415>
    Gelu,
}

impl Glu {
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.gate, self.up], writes: vec![self.gate], ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("{} = {:?} · {}", plan.label(self.gate), self.activation, plan.label(self.up))
    }
}
