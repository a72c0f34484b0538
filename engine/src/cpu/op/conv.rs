//! A short causal convolution of every channel with a kernel of its own: all tokens at once, the channels shared by the threads.

use super::glu::activate;
use crate::cpu::Cpu;
use crate::cpu::pool::Columns;
use crate::cpu::vector::{NativeSimd, Vector};
use crate::plan::op::Conv;

/// Tasks get a multiple of so many channels: a cache line of floats.
const UNIT: usize = 16;

pub(super) fn run(cpu: &mut Cpu, op: &Conv) {
    let Conv { x, weight, bias, activation, state, dst } = *op;
    let mut out = cpu.take(dst);
    let (n_taps, width) = (cpu.plan.weights[weight.0].cols, cpu.plan.width(dst));
    let (kernel, bias) = (cpu.dense(weight), bias.map(|bias| cpu.dense(bias)));
    let input = Input { state: cpu.memories[state.0].state(), x: &cpu.bufs[x.0], width };
    // Of a single token they are too few to share.
    let unit = if out.len() == width { width } else { UNIT };
    cpu.pool.columns([(&mut out[..], width)].into_iter(), unit, |_, mut columns| {
        conv::<NativeSimd>(&input, kernel, n_taps, bias, &mut columns);
        if let Some(activation) = activation {
            (0..columns.n_rows()).for_each(|row| activate::<NativeSimd>(columns.row(row), activation));
        }
    });
    cpu.bufs[dst.0] = out;
    remember(cpu, op);
}

/// Rows of the state, then of the batch.
struct Input<'a> {
    state: &'a [f32],
    x: &'a [f32],
    width: usize,
}

impl<'a> Input<'a> {
    fn row(&self, row: usize) -> &'a [f32] {
        let start = row * self.width;
        match start.checked_sub(self.state.len()) {
            None => &self.state[start..][..self.width],
            Some(start) => &self.x[start..][..self.width],
        }
    }
}

/// See [`crate::reference::conv`]; of some channels, and without the state.
fn conv<V: Vector>(input: &Input<'_>, kernel: &[f32], n_taps: usize, bias: Option<&[f32]>, dst: &mut Columns<'_>) {
    let channels = dst.range();
    // By taps, so that channels lie beside each other.
    let kernel = &kernel[channels.start * n_taps..channels.end * n_taps];
    let taps: Vec<f32> = (0..n_taps).flat_map(|tap| kernel.iter().skip(tap).step_by(n_taps)).copied().collect();
    for row in 0..dst.n_rows() {
        let dst = dst.row(row);
        match bias {
            Some(bias) => dst.copy_from_slice(&bias[channels.clone()]),
            None => dst.fill(0.0),
        }
        for (tap, weights) in taps.chunks_exact(channels.len()).enumerate() {
            add_product::<V>(&input.row(row + tap)[channels.clone()], weights, dst);
        }
    }
}

/// dst += a ⊙ b.
#[inline(always)]
fn add_product<V: Vector>(a: &[f32], b: &[f32], dst: &mut [f32]) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let (dst, dst_rest) = dst.as_chunks_mut::<4>();
    for (dst, (a, b)) in dst.iter_mut().zip(a.iter().zip(b)) {
        V::store(V::mul_add(V::load(a), V::load(b), V::load(dst)), dst);
    }
    dst_rest.iter_mut().zip(a_rest.iter().zip(b_rest)).for_each(|(dst, (a, b))| *dst += a * b);
}

/// Puts the last rows of the batch into the state; what they do not fill is moved up.
fn remember(cpu: &mut Cpu, op: &Conv) {
    let Cpu { memories, bufs, .. } = cpu;
    let (state, x) = (memories[op.state.0].state_mut(), &bufs[op.x.0]);
    let n_new = x.len().min(state.len());
    state.copy_within(n_new.., 0);
    let n_kept = state.len() - n_new;
    state[n_kept..].copy_from_slice(&x[x.len() - n_new..]);
}
