//! Gemma 3. <https://arxiv.org/abs/2503.19786>
//!
//! Unlike Llama: scaled embeddings, a norm on every query and key head, norms after attention and feed-forward, and
//! five layers of six that see only a window, with a rotary base of their own.

use super::hparams::Hparams;
use super::keys::Keys;
use super::parts::{add, attend, embed, gated_ffn, head, heads, matmul, norm_heads, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Plan, RopePairs, RopeParams};

/// Every sixth layer sees the whole context.
const WINDOW_PATTERN: usize = 6;
/// Rotary base of windowed layers, where the file does not say it.
const ROPE_BASE_WINDOW: f32 = 10_000.0;
/// The 27B model has this many layers, and scales its scores by the width of the model instead of a head.
const N_LAYER_27B: usize = 62;

/// Norm, attention, norm, residual; norm, gated feed-forward, norm, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let mut c = Hparams::read(keys, RopePairs::Halves)?;
    keys.refuse(&[("expert_count", "mixtures of experts"), ("final_logit_softcapping", "capped logits")])?;
    if c.n_layer == N_LAYER_27B {
        c.attention_scale = 1.0 / ((c.n_embd / c.n_head[0]) as f32).sqrt();
    }
    let c = &c;
    let window = keys.usize("attention.sliding_window")?.filter(|w| *w > 0);
    let rope_base_window = keys.f32_or("rope.freq_base_swa", ROPE_BASE_WINDOW)?;
    let windowed = RopeParams { freq_base: rope_base_window, freq_scale: 1.0, ..c.rope };

    let (mut plan, x) = embed(c, (c.n_embd as f32).sqrt());
    let p = &mut plan;
    let h = p.buf("h", c.n_embd);
    let normed = p.buf("normed", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        let is_windowed = window.is_some() && layer % WINDOW_PATTERN < WINDOW_PATTERN - 1;
        let (rope, window) = if is_windowed { (windowed, window) } else { (c.rope, None) };

        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        let qkv = heads(p, c, layer, h);
        norm_heads(p, c, layer, qkv);
        rotate(p, c, qkv, rope, None);
        let attended = attend(p, c, layer, qkv, window);
        matmul(p, c, attended, &name("attn_output"), h);
        rms_norm(p, c, h, &name("post_attention_norm.weight"), c.n_embd, normed);
        add(p, normed, x);

        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        gated_ffn(p, c, layer, h, Activation::Gelu, h);
        rms_norm(p, c, h, &name("post_ffw_norm.weight"), c.n_embd, normed);
        add(p, normed, x);
    }
    head(p, c, x);
    Ok(plan)
}
