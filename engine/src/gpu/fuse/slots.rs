//! Which buffers of a plan share one buffer of the device.

use super::qk_norm_rope_store;
use crate::plan::{Buf, Plan, Rows, Uses};

/// A buffer of the device, `[rows, stride]` f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Physical {
    /// f32 from one row to the next: a multiple of 32, so that rows can be read by whole chunks.
    pub stride: usize,
    /// How many rows.
    pub rows: Rows,
}

/// Where a buffer of the plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// An index of [`Physical`].
    pub buf: usize,
    /// f32 before it in each row.
    pub offset: usize,
}

/// All of them.
pub(super) struct Slots {
    pub(super) bufs: Vec<Physical>,
    pub(super) slots: Vec<Slot>,
}

impl Slots {
    /// Queries, keys and values of a layer lie beside each other; everything else is alone.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut bufs: Vec<Physical> = Vec::new();
        let mut slots: Vec<Option<Slot>> = vec![None; plan.bufs.len()];
        for first in 0..plan.ops.len() {
            let Some((heads, _)) = qk_norm_rope_store(plan, &plan.ops[first..]) else { continue };
            let all = [heads.q, heads.k, heads.v];
            let mut known = all.iter().filter_map(|buf| slots[buf.0]).map(|slot| slot.buf);
            let buf = known.next().unwrap_or(bufs.len());
            if known.any(|other| other != buf) || !all.iter().all(|buf| can_have_neighbours(plan, *buf)) {
                continue;
            }
            if buf == bufs.len() {
                bufs.push(Physical { stride: 0, rows: Rows::Tokens });
            }
            for part in all {
                slots[part.0].get_or_insert_with(|| {
                    let offset = bufs[buf].stride;
                    bufs[buf].stride += plan.width(part);
                    Slot { buf, offset }
                });
            }
        }
        let slots = slots.into_iter().zip(&plan.bufs).map(|(slot, info)| {
            slot.unwrap_or_else(|| {
                bufs.push(Physical { stride: info.width, rows: info.rows });
                Slot { buf: bufs.len() - 1, offset: 0 }
            })
        });
        let slots = slots.collect();
        bufs.iter_mut().for_each(|buf| buf.stride = buf.stride.next_multiple_of(crate::gpu::layout::CHUNK));
        Self { bufs, slots }
    }

    /// Whether b lies right behind a.
    pub(super) fn follows(&self, plan: &Plan, a: Buf, b: Buf) -> bool {
        let (slot_a, slot_b) = (self.slots[a.0], self.slots[b.0]);
        slot_a.buf == slot_b.buf && slot_a.offset + plan.width(a) == slot_b.offset
    }
}

/// Whether every use of a buffer can cope with neighbours.
fn can_have_neighbours(plan: &Plan, buf: Buf) -> bool {
    plan.bufs[buf.0].rows == Rows::Tokens
        && plan.logits != Some(buf)
        && plan.ops.iter().all(|op| is_at_any_offset(&op.uses(), buf))
}

/// Whether an op's kernels find a buffer between neighbours. None may read one part of a buffer and write another; what is
/// multiplied starts at the beginning of a row; and what attention gives fills rows.
fn is_at_any_offset(uses: &Uses, buf: Buf) -> bool {
    match (uses.reads.contains(&buf), uses.writes.contains(&buf)) {
        (false, false) => true,
        (true, true) => uses.reads.len() == 1,
        (true, false) => uses.memory.is_some(),
        (false, true) => uses.memory.is_none(),
    }
}
