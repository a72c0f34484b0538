//! Causal attention over the cache, with grouped heads and an optional window.
//! <https://arxiv.org/abs/1706.03762>, <https://arxiv.org/abs/2305.13245>

use super::matmul::dot;

/// Sizes and constants of one attention op.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Query heads.
    pub n_head: usize,
    /// Key and value heads; query head h uses head h · n_head_kv / n_head.
    pub n_head_kv: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Multiplies the scores.
    pub scale: f32,
    /// Positions a query sees, itself included; all if none.
    pub window: Option<usize>,
}

impl Attention {
    /// The cached positions that a query at `pos` sees.
    pub fn visible(&self, pos: usize) -> std::ops::Range<usize> {
        let first = self.window.map_or(0, |window| (pos + 1).saturating_sub(window));
        first..pos + 1
    }
}

/// Keys and values, `[n_slots, n_head_kv, head_dim]` each: position p in slot p % n_slots.
#[derive(Debug, Clone, Copy)]
pub struct Cached<'a> {
    /// Keys.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// Positions that there is room for.
    pub n_slots: usize,
}

/// dst[t, h] = softmax(scale · q[t, h] · keys) · values; row t is at position `start + t`.
pub fn attention(q: &[f32], cached: &Cached<'_>, shape: &Attention, start: usize, dst: &mut [f32]) {
    let Cached { keys, values, n_slots } = *cached;
    let (n_head, head_dim) = (shape.n_head, shape.head_dim);
    let row_of =
        |pos: usize, head: usize| (pos % n_slots * shape.n_head_kv + head * shape.n_head_kv / n_head) * head_dim;
    for (i, (q, dst)) in q.chunks_exact(head_dim).zip(dst.chunks_exact_mut(head_dim)).enumerate() {
        let (t, head) = (i / n_head, i % n_head);
        let visible = shape.visible(start + t);
        let scores: Vec<f32> =
            visible.clone().map(|pos| dot(q, &keys[row_of(pos, head)..][..head_dim]) * shape.scale).collect();
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = scores.iter().map(|s| (s - max).exp()).collect();
        let sum: f32 = weights.iter().sum();
        dst.fill(0.0);
        for (pos, weight) in visible.zip(weights) {
            let value = &values[row_of(pos, head)..][..head_dim];
            dst.iter_mut().zip(value).for_each(|(dst, v)| *dst += weight / sum * v);
        }
    }
}
