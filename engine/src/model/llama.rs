//! Llama, and the many models that are Llama with other sizes: SmolLM, TinyLlama, Mistral, …
//! <https://arxiv.org/abs/2302.13971>, <https://arxiv.org/abs/2407.21783>

use super::Config;
use super::parts::{head, matmul, rms_norm, rope_factors, tensor};
use crate::plan::{Activation, Op, Plan};

/// Norm, attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(c: &Config) -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let embedding = p.weight("token_embd.weight", c.n_vocab, c.n_embd);
    let factors = rope_factors(p, c);
    let x = p.buf("x", c.n_embd);
    let h = p.buf("h", c.n_embd);

    p.push(Op::Embed { weight: embedding, scale: 1.0, dst: x });
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        let (n_head, n_head_kv) = (c.n_head[layer], c.n_head_kv[layer]);
        let q = p.buf("q", n_head * c.head_dim);
        let k = p.buf("k", n_head_kv * c.head_dim);
        let v = p.buf("v", n_head_kv * c.head_dim);
        let attended = p.buf("attended", n_head * c.head_dim);
        let cache = p.kv_cache(n_head_kv, c.head_dim, None);

        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        matmul(p, c, h, &name("attn_q"), q);
        matmul(p, c, h, &name("attn_k"), k);
        matmul(p, c, h, &name("attn_v"), v);
        p.push(Op::Rope { x: q, head_dim: c.head_dim, factors, rope: c.rope });
        p.push(Op::Rope { x: k, head_dim: c.head_dim, factors, rope: c.rope });
        p.push(Op::Store { k, v, cache });
        p.push(Op::Attention { q, cache, n_head, scale: c.attention_scale, window: None, dst: attended });
        matmul(p, c, attended, &name("attn_output"), h);
        p.push(Op::Add { x: h, dst: x });

        let gate = p.buf("gate", c.n_ff[layer]);
        let up = p.buf("up", c.n_ff[layer]);
        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        matmul(p, c, h, &name("ffn_gate"), gate);
        matmul(p, c, h, &name("ffn_up"), up);
        p.push(Op::Glu { gate, up, activation: Activation::Silu });
        matmul(p, c, gate, &name("ffn_down"), h);
        p.push(Op::Add { x: h, dst: x });
    }
    head(p, c, x);
    plan
}
