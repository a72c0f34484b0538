//! Norm, activation and addition: cheap beside the matrices, but not free.

use super::vector::{Vector, exp, sum};
use crate::plan::Activation;

/// √(2/π), of GELU's tanh approximation. <https://arxiv.org/abs/1606.08415>
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The cubic coefficient of the same.
const GELU_CUBIC: f32 = 0.044_715;

/// See [`crate::reference::rms_norm`].
pub(super) fn rms_norm<V: Vector>(x: &[f32], weight: &[f32], eps: f32, dst: &mut [f32]) {
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
pub(super) fn rms_norm_in_place<V: Vector>(x: &mut [f32], weight: &[f32], eps: f32) {
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

/// dst += x.
pub(super) fn add<V: Vector>(x: &[f32], dst: &mut [f32]) {
    let ((x, x_rest), (dst, dst_rest)) = (x.as_chunks::<4>(), dst.as_chunks_mut::<4>());
    dst.iter_mut().zip(x).for_each(|(dst, x)| V::store(V::add(V::load(dst), V::load(x)), dst));
    dst_rest.iter_mut().zip(x_rest).for_each(|(dst, x)| *dst += x);
}

/// See [`crate::reference::glu`].
pub(super) fn glu<V: Vector>(gate: &mut [f32], up: &[f32], activation: Activation) {
    match activation {
        Activation::Silu => glu_by::<V>(gate, up, |x| x),
        // 0.5 · (1 + tanh y) is σ(2y).
        Activation::Gelu => glu_by::<V>(gate, up, |x| {
            let cubic = V::mul_add(V::mul(x, x), V::splat(GELU_CUBIC), V::splat(1.0));
            V::mul(V::mul(V::splat(2.0 * SQRT_2_OVER_PI), x), cubic)
        }),
    }
}

/// gate = gate · σ(inner(gate)) · up.
#[inline(always)]
fn glu_by<V: Vector>(gate: &mut [f32], up: &[f32], inner: impl Fn(V::F) -> V::F) {
    let four = |gate: &mut [f32; 4], up: &[f32; 4]| {
        let x = V::load(gate);
        let exp = exp::<V>(V::sub(V::splat(0.0), inner(x)));
        V::store(V::mul(V::div(x, V::add(V::splat(1.0), exp)), V::load(up)), gate);
    };
    let ((gates, gates_rest), (ups, ups_rest)) = (gate.as_chunks_mut::<4>(), up.as_chunks::<4>());
    gates.iter_mut().zip(ups).for_each(|(gate, up)| four(gate, up));
    for (gate, up) in gates_rest.iter_mut().zip(ups_rest) {
        let mut lanes = [*gate; 4];
        four(&mut lanes, &[*up; 4]);
        *gate = lanes[0];
    }
}
