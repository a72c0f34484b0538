//! Pieces that several architectures share, each one line of a paper.

use super::Config;
use crate::plan::{Buf, Op, Plan, Weight};

/// The name of a layer's tensor.
pub(super) fn tensor(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}")
}

/// dst = norm(x), with the weight of this name.
pub(super) fn rms_norm(p: &mut Plan, c: &Config, x: Buf, name: &str, cols: usize, dst: Buf) {
    let weight = p.weight(name, 1, cols);
    p.push(Op::RmsNorm { x, weight, eps: c.norm_eps, dst });
}

/// dst = W·x, plus a bias if the file has one; `name` has no suffix.
pub(super) fn matmul(p: &mut Plan, c: &Config, x: Buf, name: &str, dst: Buf) {
    let (rows, cols) = (p.width(dst), p.width(x));
    let weight = p.weight(format!("{name}.weight"), rows, cols);
    let bias = format!("{name}.bias");
    let bias = c.has(&bias).then(|| p.weight(bias, 1, rows));
    p.push(Op::MatMul { x, weight, bias, dst });
}

/// Divisors of the rotary frequencies, if the file has them (Llama 3.1 and later).
pub(super) fn rope_factors(p: &mut Plan, c: &Config) -> Option<Weight> {
    c.has("rope_freqs.weight").then(|| p.weight("rope_freqs.weight", 1, c.rope.n_rot / 2))
}

/// The last norm and the logits, for the wanted rows of x only.
pub(super) fn head(p: &mut Plan, c: &Config, x: Buf) {
    let last = p.output_buf("last", c.n_embd);
    let normed = p.output_buf("last_norm", c.n_embd);
    let logits = p.output_buf("logits", c.n_vocab);
    p.push(Op::TakeOutputs { x, dst: last });
    rms_norm(p, c, last, "output_norm.weight", c.n_embd, normed);
    let tied = if c.has("output.weight") { "output" } else { "token_embd" };
    matmul(p, c, normed, tied, logits);
    p.logits = Some(logits);
}
