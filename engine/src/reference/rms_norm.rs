//! Root mean square layer normalisation. <https://arxiv.org/abs/1910.07467>

use super::Reference;
use crate::plan::op;

/// dst[g] = x[g] / rms(x[g]) · weight, for each group g of as many elements as the weight has.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, dst: &mut [f32]) {
    let n = weight.len();
    for (x, dst) in x.chunks_exact(n).zip(dst.chunks_exact_mut(n)) {
        let mean_square = x.iter().map(|v| v * v).sum::<f32>() / n as f32;
        let scale = 1.0 / (mean_square + eps).sqrt();
        for i in 0..n {
            dst[i] = x[i] * scale * weight[i];
        }
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::RmsNorm) {
    let (x, weight) = (reference.buf(op.x), reference.dense(op.weight));
    rms_norm(&x, &weight, op.eps, &mut reference.bufs[op.dst.0]);
}
