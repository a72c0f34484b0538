//! Phi 3, 3.5 and 4-mini: queries, keys and values in one tensor, gate and up in another, and rotary frequencies with
//! divisors of their own for short contexts. <https://arxiv.org/abs/2404.14219>, <https://arxiv.org/abs/2503.01743>
//!
//! Files also hold divisors for long contexts. They take their place where the context is longer than the model was first
//! trained with; here it ends there instead.

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{Heads, add, attend, embed, head, matmul, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Buf, Plan, RopePairs, op};

/// Divisors of the rotary frequencies for contexts no longer than the first training's.
const SHORT_ROPE_FACTORS: &str = "rope_factors_short.weight";

/// Norm, attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Halves)?;
    keys.refuse(&[("expert_count", "mixtures of experts")])?;
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let factors = keys.has(SHORT_ROPE_FACTORS).then(|| p.weight(SHORT_ROPE_FACTORS, 1, c.rope.n_rot / 2));
    if factors.is_some() {
        p.n_ctx_max = Some(keys.size("rope.scaling.original_context_length", u32::MAX as usize)?);
    }
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        let qkv = Heads::new(p, c, layer);
        matmuls(p, h, &name("attn_qkv.weight"), &[qkv.q, qkv.k, qkv.v]);
        rotate(p, c, qkv, c.rope, factors);
        let attended = attend(p, c, layer, qkv, None);
        matmul(p, c, attended, &name("attn_output"), h);
        add(p, h, x);

        let gate = p.buf("gate", c.n_ff[layer]);
        let up = p.buf("up", c.n_ff[layer]);
        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        matmuls(p, h, &name("ffn_up.weight"), &[gate, up]);
        p.push(op::Glu { gate, up, activation: Activation::Silu });
        matmul(p, c, gate, &name("ffn_down"), h);
        add(p, h, x);
    }
    head(p, c, x);
    Ok(plan)
}

/// Each of `dsts` = its rows of one tensor · h, one after the other.
fn matmuls(p: &mut Plan, h: Buf, tensor: &str, dsts: &[Buf]) {
    let mut first = 0;
    for dst in dsts {
        let rows = first..first + p.width(*dst);
        first = rows.end;
        let weight = p.weight_rows(tensor, rows, p.width(h));
        p.push(op::MatMul { x: h, weight, bias: None, scale: 1.0, dst: *dst });
    }
}
