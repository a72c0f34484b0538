//! Causal attention over the cache, with grouped heads and an optional window.
//! <https://arxiv.org/abs/1706.03762>, <https://arxiv.org/abs/2305.13245>

use super::Reference;
use super::matmul::dot;
use crate::plan::op::{self, AttentionShape};

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
pub fn attention(q: &[f32], cached: &Cached<'_>, shape: &AttentionShape, start: usize, dst: &mut [f32]) {
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

pub(super) fn run(reference: &mut Reference, op: &op::Attention) {
    let (q, shape, start) = (reference.buf(op.q), op.shape(&reference.plan), reference.history.len());
    let (n_slots, keys, values) = reference.memories[op.cache.0].kv();
    attention(&q, &Cached { keys, values, n_slots }, &shape, start, &mut reference.bufs[op.dst.0]);
}
