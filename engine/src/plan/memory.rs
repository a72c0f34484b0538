//! What a plan remembers of the tokens before.

/// A numbered memory of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mem(pub usize);

/// What a layer remembers of the tokens before, and how it can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Keys and values of each position: it can be cut, a window's as far as its ring reaches.
    Kv(Kv),
    /// A state that every token replaces: a convolution's window, the matrix of a scan. It can be copied, not cut.
    State {
        /// f32 in it.
        len: usize,
    },
}

/// Keys and values of one layer: `[n_ctx, n_head_kv, k_dim]` and `[n_ctx, n_head_kv, v_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kv {
    /// Heads of keys and of values.
    pub n_head_kv: usize,
    /// Elements of a key.
    pub k_dim: usize,
    /// Elements of a value.
    pub v_dim: usize,
    /// Positions that a query sees, itself included; all if none. Older ones are forgotten.
    pub window: Option<usize>,
}

impl Kv {
    /// Elements of a position's keys and values.
    pub fn elements(&self) -> usize {
        self.n_head_kv * (self.k_dim + self.v_dim)
    }

    /// Positions that there is room for: of a window no more than its ring. See [`Self::ring_len`].
    pub fn n_slots(&self, n_ctx: usize, n_batch: usize, block: usize) -> usize {
        self.ring_len(n_ctx, n_batch, block).unwrap_or(n_ctx)
    }

    /// Positions of the ring that a window needs, in whole blocks of `block`, where a batch has at most `n_batch` tokens:
    /// what its first token sees, and all that it writes. None where everything is kept.
    pub fn ring_len(&self, n_ctx: usize, n_batch: usize, block: usize) -> Option<usize> {
        let least = (self.window?.max(1) - 1).saturating_add(n_batch);
        (least < n_ctx).then(|| least.next_multiple_of(block)).filter(|len| *len < n_ctx)
    }
}
