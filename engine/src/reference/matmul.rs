//! Matrix times vectors, on dequantized weights.

use super::{Reference, Tensor};
use crate::plan::op;

/// Partial sums of a dot product: enough for the compiler to use vector registers.
const LANES: usize = 16;

/// dst[t] = scale · (weight · x[t] + bias).
pub fn matmul(x: &[f32], weight: &Tensor, bias: Option<&[f32]>, scale: f32, dst: &mut [f32]) {
    for row in 0..weight.rows {
        let w = weight.row(row);
        let bias = bias.map_or(0.0, |bias| bias[row]);
        for (x, dst) in x.chunks_exact(weight.cols).zip(dst.chunks_exact_mut(weight.rows)) {
            dst[row] = scale * (dot(&w, x) + bias);
        }
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::MatMul) {
    let (x, bias) = (reference.buf(op.x), op.bias.map(|bias| reference.dense(bias)));
    matmul(&x, &reference.weights[op.weight.0], bias.as_deref(), op.scale, &mut reference.bufs[op.dst.0]);
}

/// Σ a[i] · b[i].
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
