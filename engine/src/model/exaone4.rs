//! EXAONE 4: norms of what attention and feed-forward give, not of what they get, and of every query and key head.
//! <https://arxiv.org/abs/2507.11407>
//!
//! The 32B model alone has layers that see only a window, and others that know no positions: it is refused.

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{
    add, attend, embed, gated_ffn, head, heads, matmul, norm_heads, rms_norm, rope_factors, rotate, tensor,
};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs};

/// The 32B model has this many layers.
const N_LAYER_32B: usize = 64;

/// Attention, norm, residual; gated feed-forward, norm, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Halves)?;
    if c.n_layer == N_LAYER_32B {
        return Err(keys.unsupported("attention.sliding_window", "windows in three layers of four"));
    }
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let factors = rope_factors(p, c);
    let h = p.buf("h", c.n_embd);
    let normed = p.buf("normed", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        let qkv = heads(p, c, layer, x);
        norm_heads(p, c, layer, qkv);
        rotate(p, c, qkv, c.rope, factors);
        let attended = attend(p, c, layer, qkv, None);
        matmul(p, c, attended, &name("attn_output"), h);
        rms_norm(p, c, h, &name("post_attention_norm.weight"), c.n_embd, normed);
        add(p, normed, x);

        gated_ffn(p, c, layer, x, Activation::Silu, h);
        rms_norm(p, c, h, &name("post_ffw_norm.weight"), c.n_embd, normed);
        add(p, normed, x);
    }
    head(p, c, x);
    Ok(plan)
}
