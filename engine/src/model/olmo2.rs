//! OLMo 2 and 3: norms of what attention and feed-forward give, and of all queries and all keys of a token together.
//! <https://arxiv.org/abs/2501.00656>
//!
//! In OLMo 3 three layers of four see only a window, in which positions are not scaled.

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{add, attend, embed, gated_ffn, head, heads, matmul, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs, RopeParams};

/// Every fourth layer sees the whole context.
const WINDOW_PATTERN: usize = 4;

/// Attention, norm, residual; gated feed-forward, norm, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let c = &Hparams::read(keys, RopePairs::Halves)?;
    let window = keys.usize("attention.sliding_window")?.filter(|w| *w > 0);
    let windowed = RopeParams { freq_scale: 1.0, ext_factor: 0.0, attn_factor: 1.0, ..c.rope };
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let h = p.buf("h", c.n_embd);
    let normed = p.buf("normed", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        let is_windowed = window.is_some() && layer % WINDOW_PATTERN < WINDOW_PATTERN - 1;
        let (rope, window) = if is_windowed { (windowed, window) } else { (c.rope, None) };
        let qkv = heads(p, c, layer, x);
        for (part, all) in [("attn_q_norm.weight", qkv.q), ("attn_k_norm.weight", qkv.k)] {
            rms_norm(p, c, all, &name(part), p.width(all), all);
        }
        rotate(p, c, qkv, rope, None);
        let attended = attend(p, c, layer, qkv, window);
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
