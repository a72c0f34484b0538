//! Rotary position embedding, with YaRN. <https://arxiv.org/abs/2104.09864>, <https://arxiv.org/abs/2309.00071>

use super::Reference;
use crate::plan::{RopePairs, RopeParams, op};
use std::f32::consts::TAU;

/// Rotates each head of each row of x; row t is at position `start + t`.
pub fn rope(x: &mut [f32], width: usize, head_dim: usize, factors: Option<&[f32]>, rope: &RopeParams, start: usize) {
    for (t, row) in x.chunks_exact_mut(width).enumerate() {
        let angles = cos_sin(rope, factors, start + t);
        for head in row.chunks_exact_mut(head_dim) {
            for (i, (cos, sin)) in angles.iter().enumerate() {
                let (a, b) = match rope.pairs {
                    RopePairs::Neighbours => (2 * i, 2 * i + 1),
                    RopePairs::Halves => (i, i + rope.n_rot / 2),
                };
                let (x, y) = (head[a], head[b]);
                head[a] = x * cos - y * sin;
                head[b] = x * sin + y * cos;
            }
        }
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::Rope) {
    let factors = op.factors.map(|factors| reference.dense(factors));
    let (width, start) = (reference.plan.width(op.x), reference.history.len());
    rope(&mut reference.bufs[op.x.0], width, op.head_dim, factors.as_deref(), &op.rope, start);
}

/// Cosine and sine for each pair at position `pos`.
pub fn cos_sin(rope: &RopeParams, factors: Option<&[f32]>, pos: usize) -> Vec<(f32, f32)> {
    let attn_factor =
        if rope.ext_factor == 0.0 { rope.attn_factor } else { rope.attn_factor * (1.0 - 0.1 * rope.freq_scale.ln()) };
    let angle = |i: usize| {
        let frequency = rope.freq_base.powf(-2.0 * i as f32 / rope.n_rot as f32);
        let extrapolated = pos as f32 * frequency / factors.map_or(1.0, |f| f[i]);
        let interpolated = extrapolated * rope.freq_scale;
        let mix = if rope.ext_factor == 0.0 { 0.0 } else { ramp(rope, i) * rope.ext_factor };
        interpolated * (1.0 - mix) + extrapolated * mix
    };
    let turn = |angle: f32| (angle.cos() * attn_factor, angle.sin() * attn_factor);
    (0..rope.n_rot / 2).map(|i| turn(angle(i))).collect()
}

/// YaRN's ramp: 1 for pairs that turn often within the trained context, 0 for those that turn seldom.
fn ramp(rope: &RopeParams, i: usize) -> f32 {
    let pair_that_turns =
        |turns: f32| rope.n_rot as f32 * (rope.n_ctx_orig as f32 / (turns * TAU)).ln() / (2.0 * rope.freq_base.ln());
    let low = pair_that_turns(rope.beta_fast).floor().max(0.0);
    let high = pair_that_turns(rope.beta_slow).ceil().min(rope.n_rot as f32 - 1.0);
    1.0 - ((i as f32 - low) / (high - low).max(0.001)).clamp(0.0, 1.0)
}
