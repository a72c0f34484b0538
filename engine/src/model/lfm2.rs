//! LFM2 and LFM2.5: most layers mix tokens by a short gated convolution instead of attention. <https://arxiv.org/abs/2511.23404>

use super::hparams::Hparams;
use super::keys::{Keys, WIDTH_MAX};
use super::parts::{add, attend, embed, gated_ffn, head_after, heads, matmul, norm_heads, rms_norm, rotate, tensor};
use crate::error::Result;
use crate::plan::{Activation, Buf, Plan, RopePairs, op};

/// More taps than any real model's convolution has.
const N_TAPS_MAX: usize = 64;

/// Norm, convolution or attention, residual; norm, gated feed-forward, residual.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let mut c = Hparams::read_hybrid(keys, RopePairs::Halves)?;
    keys.refuse(&[("expert_count", "mixtures of experts"), ("attention.sliding_window", "windows")])?;
    let n_taps = keys.size("shortconv.l_cache", N_TAPS_MAX)?;
    // Some files state a width from which the converter has derived the real one.
    for (layer, n_ff) in c.n_ff.iter_mut().enumerate() {
        let rows = keys.rows(&tensor(layer, "ffn_gate.weight"));
        *n_ff = rows.filter(|rows| (1..=WIDTH_MAX).contains(rows)).unwrap_or(*n_ff);
    }
    let c = &c;
    let (mut plan, x) = embed(c, 1.0);
    let p = &mut plan;
    let h = p.buf("h", c.n_embd);
    for layer in 0..c.n_layer {
        let name = |part: &str| tensor(layer, part);
        rms_norm(p, c, x, &name("attn_norm.weight"), c.n_embd, h);
        if c.n_head_kv[layer] == 0 {
            gated_conv(p, c, layer, n_taps, h);
        } else {
            let qkv = heads(p, c, layer, h);
            norm_heads(p, c, layer, qkv);
            rotate(p, c, qkv, c.rope, None);
            let attended = attend(p, c, layer, qkv, None);
            matmul(p, c, attended, &name("attn_output"), h);
        }
        add(p, h, x);

        rms_norm(p, c, x, &name("ffn_norm.weight"), c.n_embd, h);
        gated_ffn(p, c, layer, h, Activation::Silu, h);
        add(p, h, x);
    }
    head_after(p, c, x, "token_embd_norm.weight");
    Ok(plan)
}

/// h = out_proj · (c ⊙ conv(b ⊙ u)), where b, c and u are thirds of in_proj · h.
fn gated_conv(p: &mut Plan, c: &Hparams<'_>, layer: usize, n_taps: usize, h: Buf) {
    let name = |part: &str| tensor(layer, &format!("shortconv.{part}"));
    let n = c.n_embd;
    let thirds @ [gate_in, gate_out, input] = ["gate_in", "gate_out", "input"].map(|name| p.buf(name, n));
    for (i, dst) in thirds.into_iter().enumerate() {
        let weight = p.weight_rows(name("in_proj.weight"), i * n..(i + 1) * n, n);
        p.push(op::MatMul { x: h, weight, bias: None, scale: 1.0, dst });
    }
    let [gated, mixed] = ["gated", "mixed"].map(|name| p.buf(name, n));
    let weight = p.weight(name("conv.weight"), n, n_taps);
    let state = p.conv_state(n, n_taps);
    p.push(op::Mul { a: gate_in, b: input, dst: gated });
    p.push(op::Conv { x: gated, weight, bias: None, activation: None, state, dst: mixed });
    p.push(op::Mul { a: gate_out, b: mixed, dst: gated });
    matmul(p, c, gated, &name("out_proj"), h);
}
