//! Llama, and the many models that are Llama with other sizes: SmolLM, TinyLlama, Mistral, ERNIE 4.5, …
//! <https://arxiv.org/abs/2302.13971>, <https://arxiv.org/abs/2407.21783>

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{add, attend, embed, gated_ffn, head, heads, matmul, rms_norm, rope_factors, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs};

/// Norm, attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    plan_with(keys, RopePairs::Neighbours, |_| true)
}

/// The same with other rotary pairs, and only in the layers that `rotates` names.
pub(super) fn plan_with(keys: &Keys<'_>, pairs: RopePairs, rotates: impl Fn(usize) -> bool) -> Result<Plan> {
    let c = &Hparams::read(keys, pairs)?;
    keys.refuse(&[("expert_count", "mixtures of experts"), ("final_logit_softcapping", "capped logits")])?;
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let factors = rope_factors(p, c);
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        let qkv = heads(p, c, layer, h);
        if rotates(layer) {
            rotate(p, c, qkv, c.rope, factors);
        }
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
