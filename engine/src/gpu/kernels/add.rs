//! The sum of two buffers.

use super::{Kernel, Target, source};
use crate::plan::op::Add;

impl Target<'_> {
    pub(super) fn add(&self, op: &Add) -> Kernel {
        self.elementwise("add", vec![source::ADD], op.x, op.dst)
    }
}
