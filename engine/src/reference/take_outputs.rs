//! The rows whose logits are wanted.

use super::Reference;
use crate::plan::op;
use std::ops::Range;

/// dst = these rows of x.
pub fn take_outputs(x: &[f32], rows: Range<usize>, width: usize, dst: &mut [f32]) {
    dst.copy_from_slice(&x[rows.start * width..rows.end * width]);
}

pub(super) fn run(reference: &mut Reference, op: &op::TakeOutputs, rows: Range<usize>) {
    let (x, width) = (reference.buf(op.x), reference.plan.width(op.x));
    take_outputs(&x, rows, width, &mut reference.bufs[op.dst.0]);
}
