//! A short causal convolution of every channel with a kernel of its own. <https://arxiv.org/abs/2312.00752>

use super::{Reference, activate};
use crate::plan::op;

/// `dst[t, c] = Σ weight[c, i] · x[t − n_taps + 1 + i, c] + bias[c]`; `state` holds the n_taps − 1 rows of x before the first, the oldest
/// first, and then the last ones.
pub fn conv(x: &[f32], weight: &[f32], bias: Option<&[f32]>, n_taps: usize, state: &mut [f32], dst: &mut [f32]) {
    let width = weight.len() / n_taps;
    let rows = [&*state, x].concat();
    for (i, dst) in dst.iter_mut().enumerate() {
        let (t, c) = (i / width, i % width);
        *dst = bias.map_or(0.0, |bias| bias[c]);
        for tap in 0..n_taps {
            *dst += weight[c * n_taps + tap] * rows[(t + tap) * width + c];
        }
    }
    state.copy_from_slice(&rows[rows.len() - state.len()..]);
}

pub(super) fn run(reference: &mut Reference, op: &op::Conv) {
    let op::Conv { x, weight, bias, activation, state, dst } = *op;
    let n_taps = reference.plan.weights[weight.0].cols;
    let (x, weight, bias) = (reference.buf(x), reference.dense(weight), bias.map(|bias| reference.dense(bias)));
    let Reference { memories, bufs, .. } = reference;
    conv(&x, &weight, bias.as_deref(), n_taps, memories[state.0].state(), &mut bufs[dst.0]);
    if let Some(activation) = activation {
        bufs[dst.0].iter_mut().for_each(|x| *x = activate(*x, activation));
    }
}
