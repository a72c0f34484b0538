//! The sum of two buffers.

use crate::cpu::Cpu;
use crate::cpu::vector::{NativeSimd, Vector};
use crate::plan::op::Add;

pub(super) fn run(cpu: &mut Cpu, op: &Add) {
    let Add { x, dst } = *op;
    let mut out = cpu.take(dst);
    let (x, width) = (&cpu.bufs[x.0], cpu.plan.width(dst));
    cpu.pool.rows(&mut out, width, |first, rows| add::<NativeSimd>(&x[first * width..][..rows.len()], rows));
    cpu.bufs[dst.0] = out;
}

/// dst += x.
pub(super) fn add<V: Vector>(x: &[f32], dst: &mut [f32]) {
    let ((x, x_rest), (dst, dst_rest)) = (x.as_chunks::<4>(), dst.as_chunks_mut::<4>());
    dst.iter_mut().zip(x).for_each(|(dst, x)| V::store(V::add(V::load(dst), V::load(x)), dst));
    dst_rest.iter_mut().zip(x_rest).for_each(|(dst, x)| *dst += x);
}
