//! Root mean square layer normalisation.

use crate::cpu::Cpu;
use crate::cpu::vector::{NativeSimd, Vector, sum};
use crate::plan::op::RmsNorm;

pub(super) fn run(cpu: &mut Cpu, op: &RmsNorm) {
    let RmsNorm { x, weight, eps, dst } = *op;
    let mut out = cpu.take(dst);
    let weight = cpu.dense(weight);
    if x == dst {
        cpu.pool.rows(&mut out, cpu.plan.width(dst), |_, rows| {
            rows.chunks_exact_mut(weight.len()).for_each(|x| rms_norm_in_place::<NativeSimd>(x, weight, eps));
        });
    } else {
        let (x, width) = (&cpu.bufs[x.0], weight.len());
        cpu.pool.rows(&mut out, width, |first, out| {
            rms_norm::<NativeSimd>(&x[first * width..][..out.len()], weight, eps, out);
        });
    }
    cpu.bufs[dst.0] = out;
}

/// See [`crate::reference::rms_norm`].
fn rms_norm<V: Vector>(x: &[f32], weight: &[f32], eps: f32, dst: &mut [f32]) {
    let n = weight.len();
    for (x, dst) in x.chunks_exact(n).zip(dst.chunks_exact_mut(n)) {
        let scale = scale_to_unit::<V>(x, eps);
        let ((x, x_rest), (weights, weights_rest)) = (x.as_chunks::<4>(), weight.as_chunks::<4>());
        let (dst, dst_rest) = dst.as_chunks_mut::<4>();
        for (dst, (x, w)) in dst.iter_mut().zip(x.iter().zip(weights)) {
            V::store(V::mul(V::mul(V::load(x), V::splat(scale)), V::load(w)), dst);
        }
        for (dst, (x, w)) in dst_rest.iter_mut().zip(x_rest.iter().zip(weights_rest)) {
            *dst = x * scale * w;
        }
    }
}

/// The same, of one group, in place.
fn rms_norm_in_place<V: Vector>(x: &mut [f32], weight: &[f32], eps: f32) {
    let scale = scale_to_unit::<V>(x, eps);
    let ((x, x_rest), (weights, weights_rest)) = (x.as_chunks_mut::<4>(), weight.as_chunks::<4>());
    for (x, w) in x.iter_mut().zip(weights) {
        V::store(V::mul(V::mul(V::load(x), V::splat(scale)), V::load(w)), x);
    }
    x_rest.iter_mut().zip(weights_rest).for_each(|(x, w)| *x = *x * scale * w);
}

/// 1 / rms(x).
fn scale_to_unit<V: Vector>(x: &[f32], eps: f32) -> f32 {
    let (fours, rest) = x.as_chunks::<4>();
    let squares = fours.iter().fold(V::splat(0.0), |sum, x| V::mul_add(V::load(x), V::load(x), sum));
    let squares = sum::<V>(squares) + rest.iter().map(|x| x * x).sum::<f32>();
    1.0 / (squares / x.len() as f32 + eps).sqrt()
}
