//! Norm, activation and addition: cheap beside the matrices, but not free.

use super::vector::{Vector, exp, sum};
use crate::plan::Activation;

/// Numbers whose exponentials are found at once.
const AT_ONCE: usize = 16;

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
    let (gates, gates_rest) = gate.as_chunks_mut::<AT_ONCE>();
    let (ups, ups_rest) = up.as_chunks::<AT_ONCE>();
    gates.iter_mut().zip(ups).for_each(|(gate, up)| glu_at_once::<V>(gate, up, &inner));
    if !gates_rest.is_empty() {
        let [mut gate, mut up] = [[0.0; AT_ONCE]; 2];
        gate[..gates_rest.len()].copy_from_slice(gates_rest);
        up[..ups_rest.len()].copy_from_slice(ups_rest);
        glu_at_once::<V>(&mut gate, &up, &inner);
        gates_rest.copy_from_slice(&gate[..gates_rest.len()]);
    }
}

/// The same of [`AT_ONCE`].
#[inline(always)]
fn glu_at_once<V: Vector>(gate: &mut [f32; AT_ONCE], up: &[f32; AT_ONCE], inner: &impl Fn(V::F) -> V::F) {
    let (gate, up) = (gate.as_chunks_mut::<4>().0, up.as_chunks::<4>().0);
    let x: [_; AT_ONCE / 4] = std::array::from_fn(|i| V::load(&gate[i]));
    let exps = exp::<V, { AT_ONCE / 4 }>(x.map(|x| V::sub(V::splat(0.0), inner(x))));
    for i in 0..AT_ONCE / 4 {
        V::store(V::mul(V::div(x[i], V::add(V::splat(1.0), exps[i])), V::load(&up[i])), &mut gate[i]);
    }
}
