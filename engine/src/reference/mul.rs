//! The product of two buffers, element by element.

use super::Reference;
use crate::plan::op;

/// dst = a ⊙ b.
pub fn mul(a: &[f32], b: &[f32], dst: &mut [f32]) {
    dst.iter_mut().zip(a.iter().zip(b)).for_each(|(dst, (a, b))| *dst = a * b);
}

pub(super) fn run(reference: &mut Reference, op: &op::Mul) {
    let (a, b) = (reference.buf(op.a), reference.buf(op.b));
    mul(&a, &b, &mut reference.bufs[op.dst.0]);
}
