//! The rows whose logits are wanted.

use super::{Kernel, Target, source, with_state};
use crate::plan::op::TakeOutputs;

impl Target<'_> {
    pub(super) fn take_outputs(&self, op: &TakeOutputs) -> Kernel {
        let source = vec![source::STATE, source::TAKE_OUTPUTS, source::ROWS_OUTPUTS];
        let kernel = self.elementwise("take_outputs", source, op.x, op.dst);
        Kernel { bindings: with_state(kernel.bindings), ..kernel }
    }
}
