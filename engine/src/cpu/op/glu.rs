//! The gated nonlinearity of feed-forward layers.

use crate::cpu::Cpu;
use crate::cpu::vector::{NativeSimd, Vector, exp};
use crate::plan::Activation;
use crate::plan::op::Glu;

/// Numbers whose exponentials are found at once.
const AT_ONCE: usize = 16;

/// √(2/π), of GELU's tanh approximation. <https://arxiv.org/abs/1606.08415>
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The cubic coefficient of the same.
const GELU_CUBIC: f32 = 0.044_715;

pub(super) fn run(cpu: &mut Cpu, op: &Glu) {
    let Glu { gate, up, activation } = *op;
    let mut out = cpu.take(gate);
    let (up, width) = (&cpu.bufs[up.0], cpu.plan.width(up));
    cpu.pool.rows(&mut out, width, |first, out| {
        glu::<NativeSimd>(out, &up[first * width..][..out.len()], activation);
    });
    cpu.bufs[gate.0] = out;
}

/// See [`crate::reference::glu`].
fn glu<V: Vector>(gate: &mut [f32], up: &[f32], activation: Activation) {
    match activation {
        Activation::Silu => glu_by::<V>(gate, up, |x| x),
        Activation::Gelu => glu_by::<V>(gate, up, gelu_inner::<V>),
    }
}

/// x = activation(x). See [`crate::reference::activate`].
pub(super) fn activate<V: Vector>(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::Silu => activate_by::<V>(x, |x| x),
        Activation::Gelu => activate_by::<V>(x, gelu_inner::<V>),
    }
}

/// GELU is x · σ of this: 0.5 · (1 + tanh y) is σ(2y).
#[inline(always)]
fn gelu_inner<V: Vector>(x: V::F) -> V::F {
    let cubic = V::mul_add(V::mul(x, x), V::splat(GELU_CUBIC), V::splat(1.0));
    V::mul(V::mul(V::splat(2.0 * SQRT_2_OVER_PI), x), cubic)
}

/// x = x · σ(inner(x)).
#[inline(always)]
fn activate_by<V: Vector>(x: &mut [f32], inner: impl Fn(V::F) -> V::F) {
    let (xs, rest) = x.as_chunks_mut::<AT_ONCE>();
    xs.iter_mut().for_each(|x| glu_at_once::<V>(x, &[1.0; AT_ONCE], &inner));
    if !rest.is_empty() {
        let mut x = [0.0; AT_ONCE];
        x[..rest.len()].copy_from_slice(rest);
        glu_at_once::<V>(&mut x, &[1.0; AT_ONCE], &inner);
        rest.copy_from_slice(&x[..rest.len()]);
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
