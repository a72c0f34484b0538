//! Keys and values of the batch → KV cache.

use super::{Grid, Kernel, Target, WORKGROUP, When, source, with_state};
use crate::gpu::buffers::{BufferId, eights};
use crate::plan::Rows;
use crate::plan::op::Store;

impl Target<'_> {
    pub(super) fn store(&self, op: &Store) -> Kernel {
        let Store { k, v, cache } = *op;
        let (info, source, constants) = self.cache(cache);
        let bindings = vec![
            (1, self.read(k)),
            (3, self.read(v)),
            (6, BufferId::Keys(cache).write()),
            (7, BufferId::Values(cache).write()),
        ];
        Kernel {
            name: "store",
            source: [source, vec![source::HALVES, source::STORE]].concat(),
            bindings: with_state(bindings),
            constants: [constants, self.at(["K", "K_STRIDE"], k).to_vec(), self.at(["V", "V_STRIDE"], v).to_vec()]
                .concat(),
            grid: Grid::Rows((info.n_head_kv * eights(info.k_dim) * 4).div_ceil(WORKGROUP), Rows::Tokens),
            when: When::Always,
        }
    }
}
