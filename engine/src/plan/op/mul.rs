//! The product of two buffers, element by element.

use super::Uses;
use crate::plan::{Buf, Plan};

/// dst = a ⊙ b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mul {
    /// `[n, width]`.
    pub a: Buf,
    /// As a.
    pub b: Buf,
    /// As a; neither a nor b.
    pub dst: Buf,
}

impl Mul {
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.a, self.b], writes: vec![self.dst], ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("{} = {} ⊙ {}", plan.label(self.dst), plan.label(self.a), plan.label(self.b))
    }
}
