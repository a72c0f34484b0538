//! Every op, on every type of weights, on odd shapes: the fast backends against the reference.
//!
//! A case is a small plan. Its inputs are rows of f32 weights, fetched by `Embed`, so that only the public way in is
//! used.

mod case;

use crate::common::devices::for_turn;
use case::{Case, FLOAT_NMSE, HALF_NMSE, N_INPUTS, fast_backends, put};
use engine::plan::{Activation, Batch, Buf, Outputs, RopePairs, RopeParams, Weight, op};
use engine::quant::Codec;
#[cfg(not(target_arch = "wasm32"))]
use pollster::test as async_test;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as async_test;

#[async_test]
async fn matmul() {
    let shapes = [(3, 256, 40), (65, 512, 7), (1000, 256, 33), (992, 256, 2)];
    for (i, codec) in Codec::ALL.iter().enumerate() {
        for (rows, cols, n_tokens) in for_turn(i, &shapes) {
            let mut case = Case::new();
            let x = case.input("x", cols);
            let weight = case.weight("w", *codec, rows, cols);
            let dst = case.plan.buf("dst", rows);
            case.plan.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst });
            case.check(dst, &[n_tokens, 1], FLOAT_NMSE).await;
        }
    }
}

#[async_test]
async fn matmul_of_odd_rows_of_blocks() {
    for codec in Codec::ALL.iter().filter(|codec| codec.block_len() == 32) {
        let mut case = Case::new();
        let x = case.input("x", 576);
        let weight = case.weight("w", *codec, 192, 576);
        let dst = case.plan.buf("dst", 192);
        case.plan.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst });
        case.check(dst, &[5, 1], FLOAT_NMSE).await;
    }
}

#[async_test]
async fn matmul_of_odd_floats() {
    for codec in [Codec::F32, Codec::F16, Codec::BF16] {
        let mut case = Case::new();
        let x = case.input("x", 37);
        let weight = case.weight("w", codec, 11, 37);
        let bias = Some(case.weight("b", Codec::F32, 1, 11));
        let dst = case.plan.buf("dst", 11);
        case.plan.push(op::MatMul { x, weight, bias, scale: -0.3, dst });
        case.check(dst, &[1, 6], FLOAT_NMSE).await;
    }
}

#[async_test]
async fn embed() {
    for codec in Codec::ALL {
        let mut case = Case::new();
        let weight = case.weight("w", *codec, N_INPUTS + 3, 512);
        let dst = case.plan.buf("dst", 512);
        case.plan.push(op::Embed { weight, scale: 2.5, dst });
        case.check(dst, &[1, 9], FLOAT_NMSE).await;
    }
}

#[async_test]
async fn rms_norm() {
    for (width, group, in_place) in [(576, 576, false), (192, 64, true), (37, 37, false), (30, 10, true)] {
        let mut case = Case::new();
        let x = case.input("x", width);
        let weight = case.weight("w", Codec::F32, 1, group);
        let dst = if in_place { x } else { case.plan.buf("dst", width) };
        case.plan.push(op::RmsNorm { x, weight, eps: 1e-5, dst });
        case.check(dst, &[1, 5], FLOAT_NMSE).await;
    }
}

const PLAIN_ROPE: RopeParams = RopeParams {
    pairs: RopePairs::Neighbours,
    n_rot: 64,
    freq_base: 10_000.0,
    freq_scale: 1.0,
    ext_factor: 0.0,
    attn_factor: 1.0,
    beta_fast: 32.0,
    beta_slow: 1.0,
    n_ctx_orig: 2048,
};

#[async_test]
async fn rope() {
    let plain = PLAIN_ROPE;
    let halves = RopeParams { pairs: RopePairs::Halves, ..plain };
    let linear = RopeParams { freq_scale: 0.125, ..halves };
    let yarn = RopeParams { freq_scale: 0.25, ext_factor: 1.0, ..plain };
    let partial = RopeParams { n_rot: 16, ..halves };
    let odd = [plain, halves].map(|rope| RopeParams { n_rot: 22, ..rope });
    for rope in [plain, halves, linear, yarn, partial].into_iter().chain(odd) {
        for with_factors in [false, true] {
            let mut case = Case::new();
            let x = case.input("x", 3 * 64);
            let factors = with_factors.then(|| case.weight("f", Codec::F32, 1, rope.n_rot / 2));
            case.plan.push(op::Rope { x, head_dim: 64, factors, rope });
            case.check(x, &[3, 1, 40], FLOAT_NMSE).await;
        }
    }
}

#[async_test]
async fn attention() {
    let shapes = [(9, 3, 64), (4, 1, 256), (2, 2, 80), (1, 1, 2), (6, 2, 20), (14, 2, 64), (8, 1, 128), (18, 1, 16)];
    for (i, (n_head, n_head_kv, head_dim)) in shapes.into_iter().enumerate() {
        for window in for_turn(i, &[None, Some(5), Some(64), Some(1)]) {
            let (case, dst) = attention_of(n_head, n_head_kv, head_dim, window);
            case.check(dst, &[1, 1, 7, 1, 33, 128, 1], HALF_NMSE).await;
        }
    }
}

/// So far that a GPU takes larger parts of what is cached for one token. Too slow for GPUs of browsers that are programs.
#[cfg(not(target_arch = "wasm32"))]
#[async_test]
async fn attention_far() {
    for window in [None, Some(700)] {
        let (mut case, dst) = attention_of(2, 1, 8, window);
        case.n_ctx = 8600;
        let batches = [&[256; 31][..], &[1, 255, 1, 255, 1]].concat();
        case.check(dst, &batches, HALF_NMSE).await;
    }
}

fn attention_of(n_head: usize, n_head_kv: usize, head_dim: usize, window: Option<usize>) -> (Case, Buf) {
    let mut case = Case::new();
    let q = case.input("q", n_head * head_dim);
    let k = case.input("k", n_head_kv * head_dim);
    let v = case.input("v", n_head_kv * head_dim);
    let cache = case.plan.kv_cache(n_head_kv, head_dim, window);
    let dst = case.plan.buf("dst", n_head * head_dim);
    let scale = 1.0 / (head_dim as f32).sqrt();
    case.plan.push(op::Store { k, v, cache });
    case.plan.push(op::Attention { q, cache, n_head, scale, window, dst });
    (case, dst)
}

/// What a fusing backend does in one go.
#[async_test]
async fn heads() {
    for (n_head, n_head_kv, head_dim, n_rot) in [(9, 3, 64, 64), (4, 1, 256, 256), (2, 2, 20, 10)] {
        for (with_norms, pairs) in [(false, RopePairs::Neighbours), (true, RopePairs::Halves)] {
            let mut case = Case::new();
            let q = case.input("q", n_head * head_dim);
            let k = case.input("k", n_head_kv * head_dim);
            let v = case.input("v", n_head_kv * head_dim);
            for (x, name) in [(q, "q_norm"), (k, "k_norm")].into_iter().filter(|_| with_norms) {
                let weight = case.weight(name, Codec::F32, 1, head_dim);
                case.plan.push(op::RmsNorm { x, weight, eps: 1e-6, dst: x });
            }
            for x in [q, k] {
                case.plan.push(op::Rope {
                    x,
                    head_dim,
                    factors: None,
                    rope: RopeParams { pairs, n_rot, ..PLAIN_ROPE },
                });
            }
            let cache = case.plan.kv_cache(n_head_kv, head_dim, None);
            let dst = case.plan.buf("dst", n_head * head_dim);
            let scale = 1.0 / (head_dim as f32).sqrt();
            case.plan.push(op::Store { k, v, cache });
            case.plan.push(op::Attention { q, cache, n_head, scale, window: None, dst });
            case.check(dst, &[1, 5, 1, 70, 1], HALF_NMSE).await;
        }
    }
}

/// Norm, matmuls, gated activation, matmul, residual: what a fusing backend does in two goes.
#[async_test]
async fn feed_forward() {
    for codec in [Codec::Q4_0, Codec::Q4_1, Codec::Q8_0, Codec::F16] {
        for activation in [Activation::Silu, Activation::Gelu] {
            let mut case = Case::new();
            let x = case.input("x", 96);
            let gain = case.weight("gain", Codec::F32, 1, 96);
            let [gate_weight, up_weight] = ["gate", "up"].map(|name| case.weight(name, codec, 160, 96));
            let down_weight = case.weight("down", codec, 96, 160);
            let (h, gate, up) = (case.plan.buf("h", 96), case.plan.buf("gate", 160), case.plan.buf("up", 160));
            case.plan.push(op::RmsNorm { x, weight: gain, eps: 1e-5, dst: h });
            case.plan.push(op::MatMul { x: h, weight: gate_weight, bias: None, scale: 1.0, dst: gate });
            case.plan.push(op::MatMul { x: h, weight: up_weight, bias: None, scale: 1.0, dst: up });
            case.plan.push(op::Glu { gate, up, activation });
            case.plan.push(op::MatMul { x: gate, weight: down_weight, bias: None, scale: 0.6, dst: h });
            case.plan.push(op::Add { x: h, dst: x });
            case.check(x, &[1, 40, 1], FLOAT_NMSE).await;
        }
    }
}

/// Products of the same activations, which are one job on the CPU, then one of what they gave, then of the first again, changed.
#[async_test]
async fn matmuls_of_one_input() {
    for result in 0..4 {
        let mut case = Case::new();
        let x = case.input("x", 96);
        let bias = case.weight("bias", Codec::F32, 1, 96);
        let shapes = [(Codec::Q4_1, 192), (Codec::Q8_0, 96), (Codec::F16, 13)];
        let [a, b, c] = shapes.map(|(codec, rows)| {
            let (weight, dst) = (case.weight("w", codec, rows, 96), case.plan.buf("y", rows));
            case.plan.push(op::MatMul { x, weight, bias: (rows == 96).then_some(bias), scale: 1.0, dst });
            dst
        });
        let (weight, d) = (case.weight("d", Codec::Q4_0, 96, 96), case.plan.buf("d", 96));
        case.plan.push(op::MatMul { x: b, weight, bias: None, scale: 1.0, dst: d });
        case.plan.push(op::Add { x: d, dst: x });
        case.plan.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst: d });
        case.check([a, b, c, d][result], &[5, 1, 4], FLOAT_NMSE).await;
    }
}

/// Batches shorter and longer than what a convolution looks back.
#[async_test]
async fn conv() {
    let shapes = [(1, 1), (37, 2), (64, 3), (65, 4), (200, 7)];
    for (i, (width, n_taps)) in shapes.into_iter().enumerate() {
        let all = [(false, None), (true, Some(Activation::Silu)), (true, None), (false, Some(Activation::Gelu))];
        for (has_bias, activation) in for_turn(i, &all) {
            let mut case = Case::new();
            let x = case.input("x", width);
            let weight = case.weight("w", Codec::F32, width, n_taps);
            let bias = has_bias.then(|| case.weight("b", Codec::F32, 1, width));
            let state = case.plan.conv_state(width, n_taps);
            let dst = case.plan.buf("dst", width);
            case.plan.push(op::Conv { x, weight, bias, activation, state, dst });
            case.check(dst, &[1, 1, 2, 1, 5, 1, 70, 1, 1, 3], FLOAT_NMSE).await;
        }
    }
}

/// A gated convolution: its gates and its input are rows of one tensor, and lie beside each other where a backend puts them together.
#[async_test]
async fn gated_conv() {
    let (width, n_taps) = (96, 3);
    for codec in [Codec::Q4_0, Codec::F16] {
        let mut case = Case::new();
        let x = case.input("x", width);
        let gain = case.weight("gain", Codec::F32, 1, width);
        let h = case.plan.buf("h", width);
        case.plan.push(op::RmsNorm { x, weight: gain, eps: 1e-5, dst: h });
        let [b, c, input] = ["b", "c", "input"].map(|name| case.plan.buf(name, width));
        for (i, dst) in [b, c, input].into_iter().enumerate() {
            let weight = case.rows("in_proj", codec, i * width..(i + 1) * width, width);
            case.plan.push(op::MatMul { x: h, weight, bias: None, scale: 1.0, dst });
        }
        let weight = case.weight("taps", Codec::F32, width, n_taps);
        let out = case.weight("out_proj", codec, width, width);
        let [gated, mixed] = ["gated", "mixed"].map(|name| case.plan.buf(name, width));
        let state = case.plan.conv_state(width, n_taps);
        case.plan.push(op::Mul { a: b, b: input, dst: gated });
        case.plan.push(op::Conv { x: gated, weight, bias: None, activation: None, state, dst: mixed });
        case.plan.push(op::Mul { a: c, b: mixed, dst: gated });
        case.plan.push(op::MatMul { x: gated, weight: out, bias: None, scale: 1.0, dst: h });
        case.plan.push(op::Add { x: h, dst: x });
        case.check(x, &[1, 40, 1, 2, 1], FLOAT_NMSE).await;
    }
}

#[async_test]
async fn mul() {
    for width in [64, 37] {
        let mut case = Case::new();
        let [a, b] = ["a", "b"].map(|name| case.input(name, width));
        let dst = case.plan.buf("dst", width);
        case.plan.push(op::Mul { a, b, dst });
        case.check(dst, &[1, 5], FLOAT_NMSE).await;
    }
}

#[async_test]
async fn glu_and_add() {
    for activation in [Activation::Silu, Activation::Gelu] {
        for width in [64, 37] {
            let mut case = Case::new();
            let gate = case.input("gate", width);
            let up = case.input("up", width);
            case.plan.push(op::Glu { gate, up, activation });
            case.plan.push(op::Add { x: up, dst: gate });
            case.check(gate, &[1, 5], FLOAT_NMSE).await;
        }
    }
}

#[async_test]
async fn outputs_are_the_rows_that_were_asked_for() {
    let mut case = Case::new();
    let x = case.input("x", 8);
    let last = case.plan.output_buf("last", 8);
    case.plan.push(op::TakeOutputs { x, dst: last });
    case.plan.logits = Some(last);
    for (_, mut backend) in fast_backends(&case.plan, &[Codec::F32], case.n_ctx).await {
        put(&mut backend, Weight(0), &case.weights[0].1);
        let mut results = Vec::new();
        for outputs in [Outputs::All, Outputs::Last, Outputs::None] {
            backend.rewind(0);
            let batch = Batch { tokens: &[5, 3, 9], outputs };
            results.push(backend.forward(&batch).await.expect("the batch runs"));
        }
        assert_eq!(results[0].len(), 24);
        assert_eq!(results[1], results[0][16..]);
        assert_eq!(results[2], [0.0; 0]);
    }
}
