//! The product of two buffers, element by element.

use super::{Kernel, Target, source};
use crate::plan::op::Mul;

impl Target<'_> {
    pub(super) fn mul(&self, op: &Mul) -> Kernel {
        let Mul { a, b, dst } = *op;
        let mut kernel = self.elementwise("mul", vec![source::MUL], a, dst);
        kernel.bindings.push((3, self.read(b)));
        kernel.constants.extend(self.at(["B", "B_STRIDE"], b));
        kernel
    }
}
