//! A short causal convolution of every channel with a kernel of its own.

use super::{Grid, Kernel, Target, Tokens, WORKGROUP, When, number, source, with_state};
use crate::gpu::buffers::BufferId;
use crate::plan::op::Conv;

impl Target<'_> {
    /// Of one token, each invocation also shifts its channel's state. Of many, all are computed at the same time, and the state
    /// is replaced when nobody reads it any more.
    pub(super) fn conv(&self, op: &Conv, tokens: Tokens) -> Vec<Kernel> {
        let Conv { x, weight, bias, activation, state, dst } = *op;
        let n_groups = self.plan.width(dst).div_ceil(WORKGROUP);
        let window_bindings = [(1, self.read(x)), (7, BufferId::State(state).write())];
        let mut window_constants =
            vec![("TAPS", number(self.plan.weights[weight.0].cols)), ("WIDTH", number(self.plan.width(dst)))];
        window_constants.extend(self.at(["X", "X_STRIDE"], x));

        let mut bindings = vec![(2, self.write(dst)), (3, BufferId::Dense(weight).read())];
        bindings.extend(window_bindings);
        bindings.extend(bias.map(|bias| (6, BufferId::Dense(bias).read())));
        let offset = if bias.is_some() { source::CONV_BIAS } else { source::CONV_NO_BIAS };
        let activation = activation.map_or(source::IDENTITY, source::activation);
        let after = match tokens {
            Tokens::One => source::CONV_SHIFT,
            Tokens::Many => source::CONV_KEEP,
        };
        let conv = Kernel {
            name: "conv",
            source: vec![source::STATE, source::CONV, source::CONV_WINDOW, offset, activation, after],
            bindings: with_state(bindings),
            constants: [window_constants.clone(), self.at(["DST", "STRIDE"], dst).to_vec()].concat(),
            grid: Grid::Rows(n_groups, self.rows(dst)),
            when: When::Always,
        };
        let conv_state = Kernel {
            name: "conv_state",
            source: vec![source::STATE, source::CONV_STATE, source::CONV_WINDOW, source::CONV_SHIFT],
            bindings: with_state(window_bindings.to_vec()),
            constants: window_constants,
            grid: Grid::Groups(n_groups),
            when: When::Always,
        };
        match tokens {
            Tokens::One => vec![conv],
            Tokens::Many => vec![conv, conv_state],
        }
    }
}
