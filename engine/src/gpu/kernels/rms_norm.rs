//! Root mean square layer normalisation.

use super::{Grid, Kernel, Target, When, number, source, with_state};
use crate::gpu::buffers::BufferId;
use crate::plan::op::RmsNorm;

impl Target<'_> {
    /// A norm, whose result is written, or added.
    pub(super) fn norm(&self, op: &RmsNorm, add: bool) -> Kernel {
        let RmsNorm { x, weight, eps, dst } = *op;
        let cols = self.plan.weights[weight.0].cols;
        let grid = Grid::Rows(self.plan.width(x) / cols, self.rows(dst));
        let gains = (5, BufferId::Dense(weight).read());
        let constants = vec![("COLS", number(cols)), ("EPS", eps.into())];
        if x == dst {
            return Kernel {
                name: "rms_norm_in_place",
                source: vec![source::RMS_NORM_IN_PLACE, source::TOTAL],
                bindings: vec![(2, self.write(x)), gains],
                constants: [constants, self.at(["X", "STRIDE"], x).to_vec()].concat(),
                grid,
                when: When::Always,
            };
        }
        let takes_outputs = self.rows(x) != self.rows(dst);
        let rows = if takes_outputs { vec![source::STATE, source::ROWS_OUTPUTS] } else { vec![source::ROWS_ALL] };
        let end = if add { source::END_ADD } else { source::END_WRITE };
        let bindings = vec![(1, self.read(x)), (2, self.write(dst)), gains];
        Kernel {
            name: "rms_norm",
            source: [vec![source::RMS_NORM, source::TOTAL, end], rows].concat(),
            bindings: if takes_outputs { with_state(bindings) } else { bindings },
            constants: [
                constants,
                vec![("SCALE", 1.0)],
                self.at(["X", "X_STRIDE"], x).to_vec(),
                self.at(["DST", "STRIDE"], dst).to_vec(),
            ]
            .concat(),
            grid,
            when: When::Always,
        }
    }
}
