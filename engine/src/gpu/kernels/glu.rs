//! The gated nonlinearity of feed-forward layers.

use super::{Grid, Kernel, Target, WORKGROUP, When, number, source};
use crate::plan::op::Glu;

impl Target<'_> {
    pub(super) fn glu(&self, op: &Glu) -> Kernel {
        let Glu { gate, up, activation } = *op;
        let width = self.plan.width(gate);
        Kernel {
            name: "glu",
            source: vec![source::GLU, source::activation(activation)],
            bindings: vec![(1, self.read(up)), (2, self.write(gate))],
            constants: [
                vec![("COLS", number(width))],
                self.at(["UP", "UP_STRIDE"], up).to_vec(),
                self.at(["GATE", "STRIDE"], gate).to_vec(),
            ]
            .concat(),
            grid: Grid::Rows(width.div_ceil(WORKGROUP), self.rows(gate)),
            when: When::Always,
        }
    }
}
