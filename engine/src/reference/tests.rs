//! Ops say what they touch: what [`Uses`] claims is all that there is.

use super::{Reference, Remembered};
use crate::plan::{Activation, Batch, Buf, Op, Outputs, Plan, RopePairs, RopeParams, Uses, Weight, op};
use crate::quant::Codec;
use crate::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TOKENS: [u32; 3] = [2, 0, 1];
const WIDTH: usize = 8;
const HEAD_DIM: usize = 4;
/// So many that a state is as long as what the tokens add to keys, or to values.
const N_TAPS: usize = TOKENS.len() + 1;

/// Some plan with one of every op: buffers of one width, and a memory of every kind.
fn plan() -> Plan {
    let mut plan = Plan::default();
    let [a, b, c] = ["a", "b", "c"].map(|name| plan.buf(name, WIDTH));
    let out = plan.output_buf("out", WIDTH);
    let matrix = plan.weight("matrix", WIDTH, WIDTH);
    let [gain, bias] = ["gain", "bias"].map(|name| plan.weight(name, 1, WIDTH));
    let factors = plan.weight("factors", 1, HEAD_DIM / 2);
    let [_, cache] = [0, 1].map(|_| plan.kv_cache(WIDTH / HEAD_DIM, HEAD_DIM, None));
    let taps = plan.weight("taps", WIDTH, N_TAPS);
    let [_, state] = [0, 1].map(|_| plan.conv_state(WIDTH, N_TAPS));
    let rope = RopeParams {
        pairs: RopePairs::Halves,
        n_rot: HEAD_DIM,
        freq_base: 10_000.0,
        freq_scale: 1.0,
        ext_factor: 0.0,
        attn_factor: 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        n_ctx_orig: 128,
    };
    let n_head = WIDTH / HEAD_DIM;
    plan.push(op::Embed { weight: matrix, scale: 2.0, dst: a });
    plan.push(op::RmsNorm { x: a, weight: gain, eps: 1e-5, dst: b });
    plan.push(op::RmsNorm { x: a, weight: gain, eps: 1e-5, dst: a });
    plan.push(op::MatMul { x: a, weight: matrix, bias: None, scale: 1.0, dst: b });
    plan.push(op::MatMul { x: a, weight: matrix, bias: Some(bias), scale: 1.0, dst: b });
    plan.push(op::Rope { x: a, head_dim: HEAD_DIM, factors: None, rope });
    plan.push(op::Rope { x: a, head_dim: HEAD_DIM, factors: Some(factors), rope });
    plan.push(op::Store { k: a, v: b, cache });
    plan.push(op::Attention { q: a, cache, n_head, scale: 0.5, window: None, dst: c });
    for (bias, activation) in [(None, None), (Some(bias), Some(Activation::Silu))] {
        plan.push(op::Conv { x: a, weight: taps, bias, activation, state, dst: c });
    }
    plan.push(op::Add { x: a, dst: b });
    plan.push(op::Mul { a, b, dst: c });
    plan.push(op::Glu { gate: a, up: b, activation: Activation::Gelu });
    plan.push(op::TakeOutputs { x: a, dst: out });
    plan
}

/// The plan's state before a batch: random numbers in what the op claims, and NaN in everything else.
fn reference(plan: &Plan, uses: &Uses) -> Reference {
    let mut rng = Rng::new(7);
    let mut number = |is_claimed: bool| if is_claimed { rng.below(1000) as f32 / 1000.0 - 0.5 } else { f32::NAN };
    let mut reference = Reference::new(plan.clone(), vec![Codec::F32; plan.weights.len()], 16);
    for (i, info) in plan.weights.iter().enumerate() {
        let is_claimed = uses.weights.iter().any(|(weight, _)| weight.0 == i);
        let numbers: Vec<u8> = (0..info.rows * info.cols).flat_map(|_| number(is_claimed).to_le_bytes()).collect();
        reference.put(Weight(i), 0, &numbers);
    }
    for (i, info) in plan.bufs.iter().enumerate() {
        let is_read = uses.reads.contains(&Buf(i));
        reference.bufs[i] = (0..TOKENS.len() * info.width).map(|_| number(is_read)).collect();
    }
    for (i, memory) in reference.memories.iter_mut().enumerate() {
        let is_claimed = uses.memory.is_some_and(|memory| memory.0 == i);
        numbers_of(memory)
            .for_each(|numbers| *numbers = (0..TOKENS.len() * WIDTH).map(|_| number(is_claimed)).collect());
    }
    reference
}

/// Bits, because NaN is unlike itself.
fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Everything that a memory holds.
fn numbers_of(memory: &mut Remembered) -> impl Iterator<Item = &mut Vec<f32>> {
    match memory {
        Remembered::Kv { keys, values, .. } => vec![keys, values].into_iter(),
        Remembered::State(state) => vec![state].into_iter(),
    }
}

#[test]
fn an_op_reads_and_writes_what_it_claims() {
    let plan = plan();
    let batch = Batch { tokens: &TOKENS, outputs: Outputs::All };
    for op in &plan.ops {
        let uses = op.uses();
        let mut reference = reference(&plan, &uses);
        let (bufs, mut memories) = (reference.bufs.clone(), reference.memories.clone());
        reference.run(op, &batch);
        let line = op.line(&plan);
        for (i, (before, after)) in bufs.iter().zip(&reference.bufs).enumerate() {
            if uses.writes.contains(&Buf(i)) {
                assert!(
                    after.iter().all(|x| x.is_finite()),
                    "{line}: it reads what it does not claim, or fills a part"
                );
                assert_ne!(bits(before), bits(after), "{line}: it does not write buffer {i}");
            } else {
                assert_eq!(bits(before), bits(after), "{line}: it writes buffer {i}");
            }
        }
        for (i, (before, after)) in memories.iter_mut().zip(&mut reference.memories).enumerate() {
            for (before, after) in numbers_of(before).zip(numbers_of(after)) {
                if uses.memory.is_some_and(|memory| memory.0 == i) {
                    assert!(after.iter().all(|x| x.is_finite()), "{line}: it remembers what it does not claim to read");
                } else {
                    assert_eq!(bits(before), bits(after), "{line}: it changes memory {i}");
                }
            }
        }
    }
}

#[test]
fn every_op_is_in_the_plan() {
    let plan = plan();
    for name in Op::NAMES {
        assert!(plan.ops.iter().any(|op| op.name() == *name), "{name}");
    }
}
