//! Rotary position embedding.

use super::{Grid, Kernel, Target, WORKGROUP, When, number, source, with_state};
use crate::gpu::buffers::BufferId;
use crate::plan::op::Rope;
use crate::plan::{RopePairs, RopeParams};

impl Target<'_> {
    pub(super) fn rope(&self, op: &Rope) -> Kernel {
        let Rope { x, head_dim, factors, rope } = *op;
        let n_head = self.plan.width(x) / head_dim;
        let half_rot = rope.n_rot / 2;
        let constants = vec![("N_HEAD", number(n_head)), ("HEAD_DIM", number(head_dim))];
        Kernel {
            name: "rope",
            source: vec![source::STATE, source::ROPE],
            bindings: with_state(vec![(2, self.write(x)), (3, BufferId::Angles(self.angles(rope, factors)).read())]),
            constants: [constants, pairs(rope).to_vec(), self.at(["X", "STRIDE"], x).to_vec()].concat(),
            grid: Grid::Rows((n_head * half_rot).div_ceil(WORKGROUP), self.rows(x)),
            when: When::Always,
        }
    }
}

/// Which elements of a head are pairs.
pub(super) fn pairs(rope: RopeParams) -> [(&'static str, f64); 3] {
    let (step, gap) = match rope.pairs {
        RopePairs::Neighbours => (2, 1),
        RopePairs::Halves => (1, rope.n_rot / 2),
    };
    [("HALF_ROT", number(rope.n_rot / 2)), ("PAIR_STEP", number(step)), ("PAIR_GAP", number(gap))]
}
