//! The rows whose logits are wanted.

use crate::cpu::Cpu;
use crate::plan::op::TakeOutputs;
use std::ops::Range;

pub(super) fn run(cpu: &mut Cpu, op: &TakeOutputs, rows: Range<usize>) {
    let TakeOutputs { x, dst } = *op;
    let mut out = cpu.take(dst);
    let width = cpu.plan.width(x);
    out.copy_from_slice(&cpu.bufs[x.0][rows.start * width..rows.end * width]);
    cpu.bufs[dst.0] = out;
}
