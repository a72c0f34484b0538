//! Rotation: pairs of four neighbours at a time.

use crate::cpu::Cpu;
use crate::cpu::vector::{NativeSimd, Vector};
use crate::plan::op::Rope;
use crate::plan::{RopePairs, RopeParams, Weight};
use crate::reference::cos_sin;
use std::ops::Range;

/// Cosines and sines of one kind of rotation at some positions, `[n_tokens, n_rot / 2]`.
#[derive(Debug)]
pub(in crate::cpu) struct Angles {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl Angles {
    fn new(rope: &RopeParams, factors: Option<&[f32]>, positions: Range<usize>) -> Self {
        let (cos, sin) = positions.flat_map(|pos| cos_sin(rope, factors, pos)).unzip();
        Self { cos, sin, half: rope.n_rot / 2 }
    }

    /// Rotates a head of token t: see [`crate::reference::rope`].
    fn rotate<V: Vector>(&self, t: usize, pairs: RopePairs, head: &mut [f32]) {
        let [cos, sin] = [&self.cos, &self.sin].map(|x| &x[t * self.half..][..self.half]);
        let rotated = &mut head[..2 * self.half];
        match pairs {
            RopePairs::Neighbours => rotate_neighbours::<V>(rotated, cos, sin),
            RopePairs::Halves => rotate_halves::<V>(rotated, cos, sin),
        }
    }
}

pub(super) fn run(cpu: &mut Cpu, op: &Rope) {
    let Rope { x, head_dim, factors, rope } = *op;
    let mut out = cpu.take(x);
    let angles = angles(cpu, rope, factors, out.len() / cpu.plan.width(x));
    let (width, (_, _, angles)) = (cpu.plan.width(x), &cpu.angles[angles]);
    cpu.pool.rows(&mut out, width, |first, rows| {
        for (t, row) in (first..).zip(rows.chunks_exact_mut(width)) {
            row.chunks_exact_mut(head_dim).for_each(|head| angles.rotate::<NativeSimd>(t, rope.pairs, head));
        }
    });
    cpu.bufs[x.0] = out;
}

/// The index of the batch's angles for this kind of rotation, made when first asked for.
fn angles(cpu: &mut Cpu, rope: RopeParams, factors: Option<Weight>, n_tokens: usize) -> usize {
    if let Some(known) = cpu.angles.iter().position(|(r, f, _)| *r == rope && *f == factors) {
        return known;
    }
    let start = cpu.history.len();
    let angles = Angles::new(&rope, factors.map(|w| cpu.dense(w)), start..start + n_tokens);
    cpu.angles.push((rope, factors, angles));
    cpu.angles.len() - 1
}

fn rotate_neighbours<V: Vector>(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let ((coses, cos_rest), (sines, sin_rest)) = (cos.as_chunks::<4>(), sin.as_chunks::<4>());
    let (eights, rest) = x.as_chunks_mut::<8>();
    for (eight, (cos, sin)) in eights.iter_mut().zip(coses.iter().zip(sines)) {
        let ([low, high], _) = eight.as_chunks_mut::<4>() else { unreachable!("two fours are eight") };
        let [x, y] = V::unzip([V::load(low), V::load(high)]);
        let [a, b] = V::zip(rotate_four::<V>(x, y, cos, sin));
        V::store(a, low);
        V::store(b, high);
    }
    for ([x, y], (cos, sin)) in rest.as_chunks_mut::<2>().0.iter_mut().zip(cos_rest.iter().zip(sin_rest)) {
        [*x, *y] = rotate_one(*x, *y, *cos, *sin);
    }
}

fn rotate_halves<V: Vector>(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let ((coses, cos_rest), (sines, sin_rest)) = (cos.as_chunks::<4>(), sin.as_chunks::<4>());
    let (x, y) = x.split_at_mut(cos.len());
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks_mut::<4>(), y.as_chunks_mut::<4>());
    for ((x, y), (cos, sin)) in xs.iter_mut().zip(ys).zip(coses.iter().zip(sines)) {
        let [a, b] = rotate_four::<V>(V::load(x), V::load(y), cos, sin);
        V::store(a, x);
        V::store(b, y);
    }
    for ((x, y), (cos, sin)) in x_rest.iter_mut().zip(y_rest).zip(cos_rest.iter().zip(sin_rest)) {
        [*x, *y] = rotate_one(*x, *y, *cos, *sin);
    }
}

#[inline(always)]
fn rotate_four<V: Vector>(x: V::F, y: V::F, cos: &[f32; 4], sin: &[f32; 4]) -> [V::F; 2] {
    let (cos, sin) = (V::load(cos), V::load(sin));
    [V::sub(V::mul(x, cos), V::mul(y, sin)), V::mul_add(x, sin, V::mul(y, cos))]
}

#[inline(always)]
fn rotate_one(x: f32, y: f32, cos: f32, sin: f32) -> [f32; 2] {
    [x * cos - y * sin, x * sin + y * cos]
}
