//! BitNet b1.58: Llama with a norm of its own before each layer's two output matrices. <https://arxiv.org/abs/2402.17764>

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{add, attend, embed, gated, head, heads, matmul, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs};

/// Norm, attention, norm, output, residual; norm, gate, norm, down, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Halves)?;
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        let qkv = heads(p, c, layer, h);
        rotate(p, c, qkv, c.rope, None);
        let attended = attend(p, c, layer, qkv, None);
        let width = p.width(attended);
        rms_norm(p, c, attended, &name("attn_sub_norm.weight"), width, attended);
        matmul(p, c, attended, &name("attn_output"), h);
        add(p, h, x);

        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        let gate = gated(p, c, layer, h, Activation::Silu);
        rms_norm(p, c, gate, &name("ffn_sub_norm.weight"), c.n_ff[layer], gate);
        matmul(p, c, gate, &name("ffn_down"), h);
        add(p, h, x);
    }
    head(p, c, x);
    Ok(plan)
}
