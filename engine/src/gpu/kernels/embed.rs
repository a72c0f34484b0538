//! Tokens → rows of the embedding matrix.

use super::project::Linked;
use super::{Grid, Kernel, Target, WORKGROUP, When, number, source};
use crate::gpu::buffers::BufferId;
use crate::gpu::layout::CHUNK;
use crate::plan::op::Embed;

impl Target<'_> {
    pub(super) fn embed(&self, op: &Embed) -> Vec<Kernel> {
        let Embed { weight, scale, dst } = *op;
        let info = &self.plan.weights[weight.0];
        let pieces = self.pieces(weight).into_iter().map(|piece| {
            let Linked { source, bindings: planes, mut constants } = self.weights(piece.part);
            constants.extend([
                ("FIRST_TOKEN", number(piece.rows.start)),
                ("FIRST_ROW", number(piece.first_row)),
                ("ROWS", number(piece.rows.len())),
                ("CHUNKS", number(info.cols.div_ceil(CHUNK))),
                ("COLS", number(info.cols)),
                ("SCALE", scale.into()),
            ]);
            constants.extend(self.at(["DST", "STRIDE"], dst));
            Kernel {
                name: "embed",
                source: [vec![source::EMBED], source].concat(),
                bindings: [vec![(1, BufferId::BatchState.read()), (2, self.write(dst))], planes].concat(),
                constants,
                grid: Grid::Rows(info.cols.div_ceil(4 * WORKGROUP), self.rows(dst)),
                when: When::Always,
            }
        });
        pieces.collect()
    }
}
