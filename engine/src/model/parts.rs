//! Pieces that several architectures share, each a line or two of a paper.

use super::hparams::Hparams;
use crate::plan::{Activation, Buf, Plan, RopeParams, Weight, op};

/// The gains of the last norm.
const OUTPUT_NORM: &str = "output_norm.weight";

/// The heads of a layer's attention, one row a token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Queries, `[n_head · head_dim]`.
    pub(super) q: Buf,
    /// Keys, `[n_head_kv · head_dim]`.
    pub(super) k: Buf,
    /// Values, as keys.
    pub(super) v: Buf,
}

/// The name of a layer's tensor.
pub(super) fn tensor(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}")
}

/// A new plan, and its residual stream: the tokens' embeddings, multiplied by `scale`.
pub(super) fn embed(c: &Hparams<'_>, scale: f32) -> (Plan, Buf) {
    let mut plan = Plan::default();
    let weight = plan.weight("token_embd.weight", c.n_vocab, c.n_embd);
    let dst = plan.buf("x", c.n_embd);
    plan.push(op::Embed { weight, scale, dst });
    (plan, dst)
}

/// dst = norm(x), over groups as wide as the weight of this name.
pub(super) fn rms_norm(p: &mut Plan, c: &Hparams<'_>, x: Buf, name: &str, cols: usize, dst: Buf) {
    let weight = p.weight(name, 1, cols);
    p.push(op::RmsNorm { x, weight, eps: c.norm_eps, dst });
}

/// dst = W·x, plus a bias if the file has one; `name` has no suffix.
pub(super) fn matmul(p: &mut Plan, c: &Hparams<'_>, x: Buf, name: &str, dst: Buf) {
    matmul_scaled(p, c, x, name, 1.0, dst);
}

/// The same, multiplied by `scale`.
pub(super) fn matmul_scaled(p: &mut Plan, c: &Hparams<'_>, x: Buf, name: &str, scale: f32, dst: Buf) {
    let (rows, cols) = (p.width(dst), p.width(x));
    let weight = p.weight(format!("{name}.weight"), rows, cols);
    let bias = format!("{name}.bias");
    let bias = c.keys.has(&bias).then(|| p.weight(bias, 1, rows));
    p.push(op::MatMul { x, weight, bias, scale, dst });
}

/// dst += x.
pub(super) fn add(p: &mut Plan, x: Buf, dst: Buf) {
    p.push(op::Add { x, dst });
}

/// Divisors of the rotary frequencies, if the file has them (Llama 3.1 and later).
pub(super) fn rope_factors(p: &mut Plan, c: &Hparams<'_>) -> Option<Weight> {
    c.keys.has("rope_freqs.weight").then(|| p.weight("rope_freqs.weight", 1, c.rope.n_rot / 2))
}

impl Heads {
    /// Room for the heads of a layer.
    pub(super) fn new(p: &mut Plan, c: &Hparams<'_>, layer: usize) -> Self {
        let [q, k] = [c.n_head[layer], c.n_head_kv[layer]].map(|n_head| n_head * c.head_dim);
        Self { q: p.buf("q", q), k: p.buf("k", k), v: p.buf("v", k) }
    }
}

/// Queries, keys and values of h.
pub(super) fn heads(p: &mut Plan, c: &Hparams<'_>, layer: usize, h: Buf) -> Heads {
    let heads = Heads::new(p, c, layer);
    for (part, dst) in [("attn_q", heads.q), ("attn_k", heads.k), ("attn_v", heads.v)] {
        matmul(p, c, h, &tensor(layer, part), dst);
    }
    heads
}

/// Norms every query and key head, in place.
pub(super) fn norm_heads(p: &mut Plan, c: &Hparams<'_>, layer: usize, Heads { q, k, .. }: Heads) {
    rms_norm(p, c, q, &tensor(layer, "attn_q_norm.weight"), c.head_dim, q);
    rms_norm(p, c, k, &tensor(layer, "attn_k_norm.weight"), c.head_dim, k);
}

/// Rotates queries and keys by their positions.
pub(super) fn rotate(
    p: &mut Plan,
    c: &Hparams<'_>,
    Heads { q, k, .. }: Heads,
    rope: RopeParams,
    factors: Option<Weight>,
) {
    for x in [q, k] {
        p.push(op::Rope { x, head_dim: c.head_dim, factors, rope });
    }
}

/// Stores keys and values in the layer's cache, and attends to it; the result is as wide as the queries.
pub(super) fn attend(p: &mut Plan, c: &Hparams<'_>, layer: usize, heads: Heads, window: Option<usize>) -> Buf {
    let Heads { q, k, v } = heads;
    let cache = p.kv_cache(c.n_head_kv[layer], c.head_dim, window);
    let n_head = c.n_head[layer];
    let dst = p.buf("attended", n_head * c.head_dim);
    p.push(op::Store { k, v, cache });
    p.push(op::Attention { q, cache, n_head, scale: c.attention_scale, window, dst });
    dst
}

/// dst = down · (activation(gate · h) ⊙ (up · h)). <https://arxiv.org/abs/2002.05202>
pub(super) fn gated_ffn(p: &mut Plan, c: &Hparams<'_>, layer: usize, h: Buf, activation: Activation, dst: Buf) {
    let gate = gated(p, c, layer, h, activation);
    matmul(p, c, gate, &tensor(layer, "ffn_down"), dst);
}

/// activation(gate · h) ⊙ (up · h), as wide as the feed-forward layer.
pub(super) fn gated(p: &mut Plan, c: &Hparams<'_>, layer: usize, h: Buf, activation: Activation) -> Buf {
    let gate = p.buf("gate", c.n_ff[layer]);
    let up = p.buf("up", c.n_ff[layer]);
    matmul(p, c, h, &tensor(layer, "ffn_gate"), gate);
    matmul(p, c, h, &tensor(layer, "ffn_up"), up);
    p.push(op::Glu { gate, up, activation });
    gate
}

/// The last norm and the logits, for the wanted rows of x only.
pub(super) fn head(p: &mut Plan, c: &Hparams<'_>, x: Buf) {
    head_after(p, c, x, OUTPUT_NORM);
}

/// The same, where the last norm's tensor has another name.
pub(super) fn head_after(p: &mut Plan, c: &Hparams<'_>, x: Buf, norm: &str) {
    head_with(p, c, x, norm, 1.0);
}

/// The same, with scaled logits.
pub(super) fn head_scaled(p: &mut Plan, c: &Hparams<'_>, x: Buf, scale: f32) {
    head_with(p, c, x, OUTPUT_NORM, scale);
}

fn head_with(p: &mut Plan, c: &Hparams<'_>, x: Buf, norm: &str, scale: f32) {
    let last = p.output_buf("last", c.n_embd);
    let normed = p.output_buf("last_norm", c.n_embd);
    let logits = p.output_buf("logits", c.n_vocab);
    p.push(op::TakeOutputs { x, dst: last });
    rms_norm(p, c, last, norm, c.n_embd, normed);
    let tied = if c.keys.has("output.weight") { "output" } else { "token_embd" };
    matmul_scaled(p, c, normed, tied, scale, logits);
    p.logits = Some(logits);
}
