//! Ops, a file each.

mod add;
mod attention;
mod conv;
mod embed;
mod glu;
pub(super) mod matmul;
mod mul;
mod rms_norm;
pub(super) mod rope;
mod store;
mod take_outputs;

use super::Cpu;
use crate::plan::{Batch, Op};
use std::slice;

impl Cpu {
    /// Runs one op for a batch that there is [room](Self::prepare) for.
    pub(super) fn run(&mut self, op: &Op, batch: &Batch<'_>) {
        match op {
            Op::Embed(op) => embed::run(self, op, batch.tokens),
            Op::RmsNorm(op) => rms_norm::run(self, op),
            Op::MatMul(_) => matmul::run(self, slice::from_ref(op)),
            Op::Rope(op) => rope::run(self, op),
            Op::Store(op) => store::run(self, op),
            Op::Attention(op) => attention::run(self, op),
            Op::Conv(op) => conv::run(self, op),
            Op::Add(op) => add::run(self, op),
            Op::Mul(op) => mul::run(self, op),
            Op::Glu(op) => glu::run(self, op),
            Op::TakeOutputs(op) => take_outputs::run(self, op, batch.output_rows()),
        }
    }
}
