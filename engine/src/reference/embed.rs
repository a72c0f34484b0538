//! Tokens → rows of the embedding matrix.

use super::{Reference, Tensor};
use crate::plan::op;

/// dst[t] = weight[token[t]] · scale.
pub fn embed(tokens: &[u32], weight: &Tensor, scale: f32, dst: &mut [f32]) {
    for (token, dst) in tokens.iter().zip(dst.chunks_exact_mut(weight.cols)) {
        for (dst, w) in dst.iter_mut().zip(weight.row(*token as usize)) {
            *dst = w * scale;
        }
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::Embed, tokens: &[u32]) {
    embed(tokens, &reference.weights[op.weight.0], op.scale, &mut reference.bufs[op.dst.0]);
}
