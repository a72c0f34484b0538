//! A short causal convolution of every channel with a kernel of its own (depthwise), as Mamba and LFM2 have it.
//! <https://arxiv.org/abs/2312.00752>, <https://arxiv.org/abs/2511.23404>

use super::{Activation, Role, Uses};
use crate::plan::{Buf, Mem, Memory, Plan, Weight};

/// `dst[t, c] = activation(Σ weight[c, i] · x[t − n_taps + 1 + i, c] + bias[c])`, i < n_taps; x is 0 before the first token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv {
    /// `[n, width]`.
    pub x: Buf,
    /// `[width, n_taps]`: the last tap is the token's own.
    pub weight: Weight,
    /// `[width]`.
    pub bias: Option<Weight>,
    /// What the sums go through; nothing if none.
    pub activation: Option<Activation>,
    /// `[n_taps − 1, width]`: the last rows of x before the batch, the oldest first. See [`Plan::conv_state`].
    pub state: Mem,
    /// As x; not x itself.
    pub dst: Buf,
}

impl Conv {
    pub(super) fn uses(&self) -> Uses {
        let bias = self.bias.map(|bias| (bias, Role::Dense));
        let weights = [(self.weight, Role::Dense)].into_iter().chain(bias).collect();
        Uses { reads: vec![self.x], writes: vec![self.dst], weights, memory: Some(self.state) }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        let Self { x, weight, bias, activation, state, dst } = *self;
        let activation = activation.map(|activation| format!("{activation:?} · ")).unwrap_or_default();
        let bias = bias.map(|bias| format!(" bias {}", plan.tensor(bias))).unwrap_or_default();
        let (dst, weight, x) = (plan.label(dst), plan.tensor(weight), plan.label(x));
        format!("{dst} = {activation}conv {weight} {x} state{}{bias}", state.0)
    }
}

impl Plan {
    /// A new memory for a [`Conv`] of `n_taps` taps, at least one, over `width` channels.
    pub fn conv_state(&mut self, width: usize, n_taps: usize) -> Mem {
        self.memory(Memory::State { len: (n_taps - 1) * width })
    }
}
