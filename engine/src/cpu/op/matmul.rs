//! Matrix times vectors, of all matrices that read the same activations at once.

use super::add::add;
use crate::cpu::matrix::{self, Input};
use crate::cpu::vector::{NativeSimd, Vector};
use crate::cpu::{Cpu, matrix_of};
use crate::plan::Op;
use crate::plan::op::MatMul;

/// Whether an op and the next one can be done at the same time: both are products of the same activations.
pub(in crate::cpu) fn share_a_job(op: &Op, next: &Op) -> bool {
    let x = |op: &Op| matmul(op).map(|matmul| matmul.x);
    x(op).is_some() && x(op) == x(next)
}

fn matmul(op: &Op) -> Option<MatMul> {
    if let Op::MatMul(matmul) = op { Some(*matmul) } else { None }
}

/// Runs products that [share a job](share_a_job).
pub(in crate::cpu) fn run(cpu: &mut Cpu, ops: &[Op]) {
    let matmuls: Vec<MatMul> = ops.iter().map(|op| matmul(op).expect("only matmuls share a job")).collect();
    let x = matmuls[0].x;
    let mut outs: Vec<_> = matmuls.iter().map(|matmul| cpu.take(matmul.dst)).collect();
    let (floats, width) = (&cpu.bufs[x.0], cpu.plan.width(x));
    let n_tokens = floats.len() / width;
    let reads_floats = |matmul: &MatMul| matrix_of(&cpu.weights, matmul.weight).reads_floats();
    if cpu.quantized != Some(x) && !matmuls.iter().all(reads_floats) {
        (cpu.kernels.quantize)(&mut cpu.activations, &cpu.pool, floats, width);
        cpu.quantized = Some(x);
    }
    let products = matmuls.iter().zip(&mut outs).map(|(matmul, dst)| {
        let rows = cpu.plan.weights[matmul.weight.0].rows;
        assert_eq!(dst.len(), n_tokens * rows, "every product is written to a buffer of its own");
        matrix::MatMul { matrix: matrix_of(&cpu.weights, matmul.weight), rows, dst }
    });
    let input = Input { floats, integers: &cpu.activations };
    matrix::multiply(&cpu.pool, &input, &mut products.collect::<Vec<_>>());
    for (matmul, mut out) in matmuls.into_iter().zip(outs) {
        let (bias, scale) = (matmul.bias.map(|bias| cpu.dense(bias)), matmul.scale);
        if bias.is_some() || scale != 1.0 {
            let width = cpu.plan.width(matmul.dst);
            cpu.pool.rows(&mut out, width, |_, rows| {
                rows.chunks_exact_mut(width).for_each(|row| finish::<NativeSimd>(row, bias, scale));
            });
        }
        cpu.bufs[matmul.dst.0] = out;
    }
}

/// row = scale · (row + bias).
fn finish<V: Vector>(row: &mut [f32], bias: Option<&[f32]>, scale: f32) {
    if let Some(bias) = bias {
        add::<V>(bias, row);
    }
    if scale != 1.0 {
        let (fours, rest) = row.as_chunks_mut::<4>();
        fours.iter_mut().for_each(|x| V::store(V::mul(V::load(x), V::splat(scale)), x));
        rest.iter_mut().for_each(|x| *x *= scale);
    }
}
