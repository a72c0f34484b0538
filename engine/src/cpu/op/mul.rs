//! The product of two buffers, element by element.

use crate::cpu::Cpu;
use crate::cpu::vector::{NativeSimd, Vector};
use crate::plan::op::Mul;

pub(super) fn run(cpu: &mut Cpu, op: &Mul) {
    let Mul { a, b, dst } = *op;
    let mut out = cpu.take(dst);
    let (a, b, width) = (&cpu.bufs[a.0], &cpu.bufs[b.0], cpu.plan.width(dst));
    cpu.pool.rows(&mut out, width, |first, rows| {
        let at = first * width..first * width + rows.len();
        mul::<NativeSimd>(&a[at.clone()], &b[at], rows);
    });
    cpu.bufs[dst.0] = out;
}

/// dst = a ⊙ b.
fn mul<V: Vector>(a: &[f32], b: &[f32], dst: &mut [f32]) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let (dst, dst_rest) = dst.as_chunks_mut::<4>();
    for (dst, (a, b)) in dst.iter_mut().zip(a.iter().zip(b)) {
        V::store(V::mul(V::load(a), V::load(b)), dst);
    }
    dst_rest.iter_mut().zip(a_rest.iter().zip(b_rest)).for_each(|(dst, (a, b))| *dst = a * b);
}
