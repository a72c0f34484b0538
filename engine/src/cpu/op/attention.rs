//! Causal attention over the KV cache.

use crate::cpu::attention::attention;
use crate::cpu::vector::NativeSimd;
use crate::cpu::{Cpu, kv_cache};
use crate::plan::op::Attention;

pub(super) fn run(cpu: &mut Cpu, op: &Attention) {
    let mut out = cpu.take(op.dst);
    let (shape, start) = (op.shape(&cpu.plan), cpu.history.len());
    let (kv, q) = (kv_cache(&mut cpu.memories[op.cache.0]), &cpu.bufs[op.q.0]);
    attention::<NativeSimd>(&cpu.pool, q, kv, &shape, start, &mut cpu.scratch, &mut out);
    cpu.bufs[op.dst.0] = out;
}
