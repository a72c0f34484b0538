//! Tokens → rows of the embedding matrix.

use super::Tensor;

/// dst[t] = weight[token[t]] · scale.
pub fn embed(tokens: &[u32], weight: &Tensor, scale: f32, dst: &mut [f32]) {
    for (token, dst) in tokens.iter().zip(dst.chunks_exact_mut(weight.cols)) {
        for (dst, w) in dst.iter_mut().zip(weight.row(*token as usize)) {
            *dst = w * scale;
        }
    }
}
