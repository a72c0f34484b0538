//! Which buffers of a plan share one buffer of the device.

use super::qk_norm_rope_store;
use crate::plan::op::MatMul;
use crate::plan::{Buf, Op, Plan, Rows, Uses, WeightInfo};

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
    /// Queries, keys and values of a layer lie beside each other, and so do products of neighbouring rows of one tensor; everything
    /// else is alone.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut bufs: Vec<Physical> = Vec::new();
        let mut slots: Vec<Option<Slot>> = vec![None; plan.bufs.len()];
        for first in 0..plan.ops.len() {
            let all = match qk_norm_rope_store(plan, &plan.ops[first..]) {
                Some((heads, _)) => vec![heads.q, heads.k, heads.v],
                None => products_of_one_tensor(plan, &plan.ops[first..]),
            };
            let mut known = all.iter().filter_map(|buf| slots[buf.0]).map(|slot| slot.buf);
            let buf = known.next().unwrap_or(bufs.len());
            if all.len() < 2
                || known.any(|other| other != buf)
                || !all.iter().all(|buf| can_have_neighbours(plan, *buf))
            {
                continue;
            }
            let known = (0..slots.len()).filter(|i| slots[*i].is_some_and(|slot| slot.buf == buf)).map(Buf);
            let group: Vec<Buf> = known.chain(all.iter().copied()).collect();
            if plan.ops.iter().any(|op| reads_one_and_writes_another(&op.uses(), &group)) {
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

/// What the first ops make, if they are matmuls of the same input by neighbouring rows of one tensor.
fn products_of_one_tensor(plan: &Plan, ops: &[Op]) -> Vec<Buf> {
    let products = ops.iter().map_while(|op| {
        let Op::MatMul(MatMul { x, weight, dst, .. }) = *op else { return None };
        Some((x, &plan.weights[weight.0], dst))
    });
    let mut run: Vec<(Buf, &WeightInfo, Buf)> = Vec::new();
    for (x, weight, dst) in products {
        let goes_on = run.last().is_none_or(|(last_x, last, _)| {
            (*last_x, &last.tensor, last.range().end) == (x, &weight.tensor, weight.first_row)
        });
        if !goes_on {
            break;
        }
        run.push((x, weight, dst));
    }
    run.into_iter().map(|(_, _, dst)| dst).collect()
}

/// Whether every use of a buffer can cope with neighbours.
fn can_have_neighbours(plan: &Plan, buf: Buf) -> bool {
    plan.bufs[buf.0].rows == Rows::Tokens
        && plan.logits != Some(buf)
        && plan.ops.iter().all(|op| is_at_any_offset(plan, &op.uses(), buf))
}

/// Whether an op's kernels find a buffer between neighbours: what is multiplied starts at the beginning of a row, as does what is
/// normed or taken before; and what attention gives fills rows.
fn is_at_any_offset(plan: &Plan, uses: &Uses, buf: Buf) -> bool {
    let is_elementwise = uses.weights.is_empty() && uses.writes.iter().all(|buf| plan.bufs[buf.0].rows == Rows::Tokens);
    match (uses.reads.contains(&buf), uses.writes.contains(&buf)) {
        (false, false) => true,
        (true, true) => uses.reads.len() == 1,
        (true, false) => uses.memory.is_some() || is_elementwise,
        (false, true) => uses.memory.is_none(),
    }
}

/// Whether an op would have one buffer of the device as what it reads and as what it writes, if these were one.
fn reads_one_and_writes_another(uses: &Uses, group: &[Buf]) -> bool {
    let has = |bufs: &[Buf]| bufs.iter().any(|buf| group.contains(buf));
    has(&uses.reads) && has(&uses.writes) && uses.reads != uses.writes
}
