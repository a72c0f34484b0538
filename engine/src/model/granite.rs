//! Granite 3 and 4: Llama with scales for embeddings, attention, what layers add, and logits.
//! <https://huggingface.co/ibm-granite/granite-4.0-350m>

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{
    add, attend, embed, gated, head_scaled, heads, matmul_scaled, rms_norm, rope_factors, rotate, tensor,
};
use crate::error::Result;
use crate::plan::{Activation, Buf, Plan, RopePairs};

/// What is multiplied beside attention scores. A 0 in the file stands for 1, as does no number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scales {
    /// Multiplies embeddings.
    pub(super) embedding: f32,
    /// Multiplies what a layer's halves add to the residual stream.
    pub(super) residual: f32,
    /// Multiplies logits: the file says what divides them.
    pub(super) logits: f32,
}

impl Scales {
    /// Reads them.
    pub(super) fn read(keys: &Keys<'_>) -> Result<Self> {
        let scale = |key| Ok(keys.f32(key)?.filter(|scale| *scale != 0.0).unwrap_or(1.0));
        Ok(Self {
            embedding: scale("embedding_scale")?,
            residual: scale("residual_scale")?,
            logits: 1.0 / scale("logit_scale")?,
        })
    }
}

/// Norm, attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Neighbours)?;
    keys.refuse(&[("expert_count", "mixtures of experts")])?;
    let scales = Scales::read(keys)?;
    let rotates = knows_positions(keys)?;
    let (mut plan, x) = embed(c, scales.embedding);
    let p = &mut plan;
    let factors = rope_factors(p, c).filter(|_| rotates);
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        rms_norm(p, c, x, &tensor(layer, "attn_norm.weight"), c.n_embd, h);
        let qkv = heads(p, c, layer, h);
        if rotates {
            rotate(p, c, qkv, c.rope, factors);
        }
        let attended = attend(p, c, layer, qkv, None);
        matmul_scaled(p, c, attended, &tensor(layer, "attn_output"), scales.residual, h);
        add(p, h, x);
        feed_forward(p, c, layer, x, h, scales.residual);
    }
    head_scaled(p, c, x, scales.logits);
    Ok(plan)
}

/// Whether queries and keys rotate: files say "finetuned" for it, and mean all of them.
pub(super) fn knows_positions(keys: &Keys<'_>) -> Result<bool> {
    keys.bool_or("rope.scaling.finetuned", true)
}

/// x += scale · down · (silu(gate · norm(x)) ⊙ (up · norm(x))).
pub(super) fn feed_forward(p: &mut Plan, c: &Hparams<'_>, layer: usize, x: Buf, h: Buf, scale: f32) {
    rms_norm(p, c, x, &tensor(layer, "ffn_norm.weight"), c.n_embd, h);
    let gate = gated(p, c, layer, h, Activation::Silu);
    matmul_scaled(p, c, gate, &tensor(layer, "ffn_down"), scale, h);
    add(p, h, x);
}
