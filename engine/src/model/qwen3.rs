//! Qwen 3: a norm on every query and key head before rotation, and no biases. <https://arxiv.org/abs/2505.09388>

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{add, attend, embed, gated_ffn, head, heads, matmul, norm_heads, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs};

/// Norm, attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Halves)?;
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        let qkv = heads(p, c, layer, h);
        norm_heads(p, c, layer, qkv);
        rotate(p, c, qkv, c.rope, None);
        let attended = attend(p, c, layer, qkv, None);
        matmul(p, c, attended, &name("attn_output"), h);
        add(p, h, x);

        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        gated_ffn(p, c, layer, h, Activation::Silu, h);
        add(p, h, x);
    }
    head(p, c, x);
    Ok(plan)
}
