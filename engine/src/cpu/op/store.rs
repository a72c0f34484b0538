//! Keys and values of the batch → KV cache.

use crate::cpu::{Cpu, kv_cache};
use crate::plan::op::Store;

pub(super) fn run(cpu: &mut Cpu, op: &Store) {
    let Store { k, v, cache } = *op;
    kv_cache(&mut cpu.memories[cache.0]).store(&cpu.pool, cpu.history.len(), &cpu.bufs[k.0], &cpu.bufs[v.0]);
}
