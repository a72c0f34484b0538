//! Keys and values of the batch → KV cache.

use super::Reference;
use crate::plan::op;

/// Puts rows of this width into a ring of slots: row t is at position `start + t`, and goes to that position % n_slots.
pub fn store(rows: &[f32], width: usize, start: usize, n_slots: usize, slots: &mut Vec<f32>) {
    for (pos, row) in (start..).zip(rows.chunks_exact(width)) {
        let at = pos % n_slots * width;
        slots.resize(slots.len().max(at + width), 0.0);
        slots[at..at + width].copy_from_slice(row);
    }
}

pub(super) fn run(reference: &mut Reference, op: &op::Store) {
    let Reference { plan, memories, history, bufs, .. } = reference;
    let (n_slots, keys, values) = memories[op.cache.0].kv();
    for (src, slots) in [(op.k, keys), (op.v, values)] {
        store(&bufs[src.0], plan.width(src), history.len(), n_slots, slots);
    }
}
