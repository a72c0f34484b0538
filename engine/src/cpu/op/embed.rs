//! Tokens → rows of the embedding matrix.

use crate::cpu::{Cpu, matrix_of};
use crate::plan::op::Embed;

pub(super) fn run(cpu: &mut Cpu, op: &Embed, tokens: &[u32]) {
    let Embed { weight, scale, dst } = *op;
    let mut out = cpu.take(dst);
    let matrix = matrix_of(&cpu.weights, weight);
    let width = cpu.plan.weights[weight.0].cols;
    cpu.pool.rows(&mut out, width, |first, rows| {
        for (token, dst) in tokens[first..].iter().zip(rows.chunks_exact_mut(width)) {
            matrix.row(*token as usize, dst);
            dst.iter_mut().for_each(|x| *x *= scale);
        }
    });
    cpu.bufs[dst.0] = out;
}
