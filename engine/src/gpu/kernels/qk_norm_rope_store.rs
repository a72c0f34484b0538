//! Norms and rotation of the heads of queries and keys, and store of keys and values.

use super::rope::pairs;
use super::{Grid, Kernel, Target, When, number, source, with_state};
use crate::gpu::buffers::BufferId;
use crate::gpu::fuse::{HeadNorms, QkNormRopeStore};
use crate::plan::Rows;

impl Target<'_> {
    pub(super) fn qk_norm_rope_store(&self, heads: &QkNormRopeStore) -> Kernel {
        let QkNormRopeStore { q, k, v, norms, rope, factors, cache } = *heads;
        let (info, mut source, mut constants) = self.cache(cache);
        let n_head = self.plan.width(q) / info.k_dim;
        let mut bindings = with_state(vec![
            (2, self.write(q)),
            (3, BufferId::Angles(self.angles(rope, factors)).read()),
            (6, BufferId::Keys(cache).write()),
            (7, BufferId::Values(cache).write()),
        ]);
        source.extend([source::HALVES, source::HEADS]);
        match norms {
            None => source.push(source::HEADS_PLAIN),
            Some(HeadNorms { q, k, eps }) => {
                source.extend([source::HEADS_NORMED, source::TOTAL]);
                bindings.extend([(4, BufferId::Dense(q).read()), (5, BufferId::Dense(k).read())]);
                constants.push(("EPS", eps.into()));
            }
        }
        constants.extend(pairs(rope));
        constants.extend(self.at(["Q", "STRIDE"], q));
        constants.extend([
            ("K", number(self.slot(k).offset)),
            ("V", number(self.slot(v).offset)),
            ("N_HEAD", number(n_head)),
        ]);
        let grid = Grid::Rows(n_head + 2 * info.n_head_kv, Rows::Tokens);
        Kernel { name: "heads", source, bindings, constants, grid, when: When::Always }
    }
}
