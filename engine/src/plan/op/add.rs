//! The sum of two buffers.

use super::Uses;
use crate::plan::{Buf, Plan};

/// dst += x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Add {
    /// As dst.
    pub x: Buf,
    /// `[n, width]`, changed in place.
    pub dst: Buf,
}

impl Add {
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.x, self.dst], writes: vec![self.dst], ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("{} += {}", plan.label(self.dst), plan.label(self.x))
    }
}
