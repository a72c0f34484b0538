//! The sum of two buffers.

use super::Reference;
use crate::plan::op;

/// dst += x.
pub fn add(x: &[f32], dst: &mut [f32]) {
    dst.iter_mut().zip(x).for_each(|(dst, x)| *dst += x);
}

pub(super) fn run(reference: &mut Reference, op: &op::Add) {
    let x = reference.buf(op.x);
    add(&x, &mut reference.bufs[op.dst.0]);
}
