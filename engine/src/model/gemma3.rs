//! Gemma 3. <https://arxiv.org/abs/2503.19786>
//!
//! Unlike Llama: scaled embeddings, a norm on every query and key head, norms after attention and feed-forward, and
//! five layers of six that see only a window, with a rotary base of their own.

use super::Config;
use super::parts::{head, matmul, rms_norm, tensor};
use crate::plan::{Activation, Op, Plan, Rope, RopePairs};

/// Every sixth layer sees the whole context.
const WINDOW_PATTERN: usize = 6;
/// Rotary base of windowed layers, where the file does not say it.
const ROPE_BASE_WINDOW: f32 = 10_000.0;
/// The 27B model has this many layers, and scales its scores by the width of the model instead of a head.
const N_LAYER_27B: usize = 62;

/// Norm, attention, norm, residual; norm, gated feed-forward, norm, residual.
pub(super) fn plan(c: &Config) -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let embedding = p.weight("token_embd.weight", c.n_vocab, c.n_embd);
    let x = p.buf("x", c.n_embd);
    let h = p.buf("h", c.n_embd);
    let normed = p.buf("normed", c.n_embd);

    p.push(Op::Embed { weight: embedding, scale: (c.n_embd as f32).sqrt(), dst: x });
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        let (n_head, n_head_kv) = (c.n_head[layer], c.n_head_kv[layer]);
        let (rope, window) = layer_kind(c, layer);
        let q = p.buf("q", n_head * c.head_dim);
        let k = p.buf("k", n_head_kv * c.head_dim);
        let v = p.buf("v", n_head_kv * c.head_dim);
        let attended = p.buf("attended", n_head * c.head_dim);
        let cache = p.kv_cache(n_head_kv, c.head_dim, window);

        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        matmul(p, c, h, &name("attn_q"), q);
        matmul(p, c, h, &name("attn_k"), k);
        matmul(p, c, h, &name("attn_v"), v);
        rms_norm(p, c, q, &name("attn_q_norm.weight"), c.head_dim, q);
        rms_norm(p, c, k, &name("attn_k_norm.weight"), c.head_dim, k);
        p.push(Op::Rope { x: q, head_dim: c.head_dim, factors: None, rope });
        p.push(Op::Rope { x: k, head_dim: c.head_dim, factors: None, rope });
        p.push(Op::Store { k, v, cache });
        p.push(Op::Attention { q, cache, n_head, scale: scale(c, n_head), window, dst: attended });
        matmul(p, c, attended, &name("attn_output"), h);
        rms_norm(p, c, h, &name("post_attention_norm.weight"), c.n_embd, normed);
        p.push(Op::Add { x: normed, dst: x });

        let gate = p.buf("gate", c.n_ff[layer]);
        let up = p.buf("up", c.n_ff[layer]);
        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        matmul(p, c, h, &name("ffn_gate"), gate);
        matmul(p, c, h, &name("ffn_up"), up);
        p.push(Op::Glu { gate, up, activation: Activation::Gelu });
        matmul(p, c, gate, &name("ffn_down"), h);
        rms_norm(p, c, h, &name("post_ffw_norm.weight"), c.n_embd, normed);
        p.push(Op::Add { x: normed, dst: x });
    }
    head(p, c, x);
    plan
}

/// Rotary embedding and window of a layer.
fn layer_kind(c: &Config, layer: usize) -> (Rope, Option<usize>) {
    let global = Rope { pairs: RopePairs::Halves, ..c.rope };
    let is_global = layer % WINDOW_PATTERN == WINDOW_PATTERN - 1;
    if is_global || c.window.is_none() {
        return (global, None);
    }
    let freq_base = c.rope_base_window.unwrap_or(ROPE_BASE_WINDOW);
    (Rope { freq_base, freq_scale: 1.0, ..global }, c.window)
}

fn scale(c: &Config, n_head: usize) -> f32 {
    if c.n_layer == N_LAYER_27B { 1.0 / ((c.n_embd / n_head) as f32).sqrt() } else { c.attention_scale }
}
