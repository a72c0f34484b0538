//! Causal attention over the KV cache, with grouped heads and an optional window.
//! <https://arxiv.org/abs/1706.03762>, <https://arxiv.org/abs/2305.13245>

use super::Uses;
use crate::plan::{Buf, Mem, Plan};
use std::ops::Range;

/// `dst[t, h] = softmax(scale · q[t, h] · keys) · values` over cached positions ≤ `pos[t]` (and > `pos[t] − window`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// `[n, n_head · head_dim]`.
    pub q: Buf,
    /// Keys and values; query head h uses head h · n_head_kv / n_head.
    pub cache: Mem,
    /// Heads of queries.
    pub n_head: usize,
    /// Multiplies the scores.
    pub scale: f32,
    /// Positions a query sees, itself included; all if none.
    pub window: Option<usize>,
    /// As q.
    pub dst: Buf,
}

/// Sizes and constants of one attention op.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
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
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.q], writes: vec![self.dst], memory: Some(self.cache), ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        let Self { q, cache, n_head, scale, window, dst } = *self;
        let window = window.map(|w| format!(" window {w}")).unwrap_or_default();
        let (dst, q) = (plan.label(dst), plan.label(q));
        format!("{dst} = attention {q} cache{} heads {n_head} scale {scale}{window}", cache.0)
    }

    /// The sizes, with those of the cache.
    pub fn shape(&self, plan: &Plan) -> AttentionShape {
        let kv = plan.kv(self.cache);
        let Self { n_head, scale, window, .. } = *self;
        AttentionShape { n_head, n_head_kv: kv.n_head_kv, head_dim: kv.k_dim, scale, window }
    }
}

impl AttentionShape {
    /// The cached positions that a query at `pos` sees.
    pub fn visible(&self, pos: usize) -> Range<usize> {
        let first = self.window.map_or(0, |window| (pos + 1).saturating_sub(window));
        first..pos + 1
    }
}
