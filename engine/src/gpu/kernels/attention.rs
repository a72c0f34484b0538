//! Attention: to one token by parts of the positions, which are then combined; to many as a whole.

use super::{Grid, Kernel, Parts, Target, Tokens, WORKGROUP, When, number, source, with_state};
use crate::gpu::buffers::{Binding, BufferId, PARTS_MAX, eights};
use crate::gpu::tier::Reduce;
use crate::plan::Rows;
use crate::plan::op::Attention;

/// Queries that an invocation scores at a time.
pub(super) const QUERIES: usize = 4;
/// Invocations that every device gives a workgroup.
const WORKGROUP_MAX: usize = 256;
/// Positions of a part at least.
const PART_MIN: usize = 128;

/// Positions of a part, of as many as the cache has room for: seldom another number, because kernels are made for it.
fn part_len(capacity: usize) -> usize {
    capacity.div_ceil(PARTS_MAX).next_power_of_two().max(PART_MIN)
}

impl Target<'_> {
    pub(super) fn attention(&self, attention: &Attention, tokens: Tokens) -> Vec<Kernel> {
        match tokens {
            Tokens::One => self.attention_in_parts(attention),
            Tokens::Many => vec![self.attention_as_a_whole(attention)],
        }
    }

    fn attention_as_a_whole(&self, attention: &Attention) -> Kernel {
        let info = self.plan.kv(attention.cache);
        let grid = Grid::Queries(info.n_head_kv, attention.n_head / info.n_head_kv);
        let mut kernel = self.attention_to(attention, 1, source::ATTENTION_WHOLE, self.write(attention.dst), grid);
        kernel.constants.push(("STRIDE", number(self.stride(attention.dst))));
        kernel
    }

    fn attention_in_parts(&self, attention: &Attention) -> Vec<Kernel> {
        let Attention { cache, n_head, window, dst, .. } = *attention;
        let info = self.plan.kv(cache);
        let len = part_len(self.capacity);
        let parts = vec![("PART", number(len)), ("PARTS_MAX", number(PARTS_MAX))];
        let quads = self.quads(attention);
        let n_groups = info.n_head_kv * (n_head / info.n_head_kv).div_ceil(QUERIES * quads);
        let grid = Grid::Parts(n_groups, Parts { len, window });
        let mut part =
            self.attention_to(attention, quads, source::ATTENTION_PART, BufferId::AttentionPartials.write(), grid);
        part.constants.extend(parts.clone());
        let head = vec![
            ("HEAD_DIM", number(info.k_dim)),
            ("HEAD_DIM8", number(eights(info.k_dim))),
            ("WINDOW", window_number(window)),
        ];
        let combine = Kernel {
            name: "combine",
            source: vec![source::STATE, source::COMBINE],
            bindings: with_state(vec![(1, BufferId::AttentionPartials.read()), (2, self.write(dst))]),
            constants: [head, parts].concat(),
            grid: Grid::Rows(n_head, Rows::Tokens),
            when: When::Always,
        };
        vec![part, combine]
    }

    /// Lanes that share a position where a subgroup holds a head.
    fn units(&self, head_dim: usize) -> Option<usize> {
        let units = eights(head_dim).next_power_of_two();
        (self.tier.reduce == Reduce::Subgroup && units <= self.tier.lanes_max).then_some(units)
    }

    /// Fours of queries that one workgroup takes: all heads that share keys and values, if it has room for them, so that
    /// those are read once.
    fn quads(&self, attention: &Attention) -> usize {
        let info = self.plan.kv(attention.cache);
        let all = (attention.n_head / info.n_head_kv).div_ceil(QUERIES).next_power_of_two();
        let room = match self.units(info.k_dim) {
            Some(units) => WORKGROUP / units,
            None => WORKGROUP_MAX / (QUERIES * eights(info.k_dim).next_power_of_two()),
        };
        all.min(room)
    }

    /// Attention to so many fours of queries at a time, whose results go to `dst` as the fragment `end` says.
    fn attention_to(&self, attention: &Attention, quads: usize, end: &'static str, dst: Binding, grid: Grid) -> Kernel {
        let Attention { q, cache, n_head, scale, window, .. } = *attention;
        let (info, mut source, mut constants) = self.cache(cache);
        constants.extend(self.at(["Q", "Q_STRIDE"], q));
        constants.extend([
            ("GROUP", number(n_head / info.n_head_kv)),
            ("SCALE", scale.into()),
            ("WINDOW", window_number(window)),
            ("QUADS", number(quads)),
        ]);
        let (name, fragment) = if let Some(units) = self.units(info.k_dim) {
            constants.push(("UNITS", number(units)));
            ("attention_subgroup", source::ATTENTION_SUBGROUP)
        } else {
            constants.extend(shape(info.k_dim, quads));
            ("attention", source::ATTENTION)
        };
        source.extend([source::ATTENTION_QUERY, fragment, end]);
        Kernel {
            name,
            source,
            bindings: with_state(vec![
                (1, self.read(q)),
                (2, dst),
                (6, BufferId::Keys(cache).read()),
                (7, BufferId::Values(cache).read()),
            ]),
            constants,
            grid,
            when: When::Always,
        }
    }
}

/// How a workgroup of `attention.wgsl` is divided: every pair of a query and eight elements of a value is an invocation's.
fn shape(head_dim: usize, quads: usize) -> [(&'static str, f64); 6] {
    let pairs = quads * QUERIES * eights(head_dim);
    let workgroup = pairs.next_power_of_two().max(WORKGROUP);
    [
        ("WORKGROUP", number(workgroup)),
        ("PAIRS", number(pairs)),
        ("SLICES", number(workgroup / pairs)),
        ("QUERIES_LEN", number(2 * pairs)),
        ("SCORES_LEN", number(QUERIES * workgroup)),
        ("MERGE_LEN", number(if workgroup / pairs > 1 { 3 * workgroup } else { 1 })),
    ]
}

fn window_number(window: Option<usize>) -> f64 {
    window.map_or(f64::from(u32::MAX), number)
}
