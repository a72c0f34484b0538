//! The rows whose logits are wanted.

use super::Uses;
use crate::plan::{Buf, Plan};

/// dst = the rows of x whose logits are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TakeOutputs {
    /// `[n_tokens, width]`.
    pub x: Buf,
    /// `[n_outputs, width]`.
    pub dst: Buf,
}

impl TakeOutputs {
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.x], writes: vec![self.dst], ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("{} = take_outputs {}", plan.label(self.dst), plan.label(self.x))
    }
}
