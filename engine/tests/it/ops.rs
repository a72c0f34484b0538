//! Every op, on every type of weights, on odd shapes: the fast backends against the reference.
//!
//! A case is a small plan. Its inputs are rows of f32 weights, fetched by `Embed`, so that only the public way in is
//! used.

use crate::common::devices::{best_options, first_turn, for_turn, worst_options};
use engine::backend::Backend;
use engine::cpu::{Cpu, Machine, Pool};
use engine::gpu::{Device, Gpu, Options};
use engine::plan::{Activation, Batch, Buf, Outputs, Plan, RopePairs, RopeParams, Weight, op};
use engine::protocol::CacheType;
use engine::quant::{Codec, random_blocks};
use engine::reference::Reference;
use engine::rng::Rng;
#[cfg(not(target_arch = "wasm32"))]
use pollster::test as async_test;
use std::cell::Cell;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as async_test;

/// ggml's bound for ops on floats; ours for matmuls too, whose activations keep 16 bits.
const FLOAT_NMSE: f64 = 1e-7;
/// Ours where keys and values are halves.
const HALF_NMSE: f64 = 1e-6;
/// Ours where they are bytes.
const BYTE_NMSE: f64 = 1e-4;
/// Rows of the weights that inputs are fetched from.
const N_INPUTS: usize = 64;
/// Room in the cache.
const N_CTX: usize = 512;

/// A plan, and the weights it reads.
struct Case {
    plan: Plan,
    n_ctx: usize,
    weights: Vec<(Codec, Vec<u8>)>,
    rng: Rng,
}

impl Case {
    fn new() -> Self {
        Self { plan: Plan::default(), n_ctx: N_CTX, weights: Vec::new(), rng: Rng::new(1) }
    }

    /// A weight of random numbers.
    fn weight(&mut self, name: &str, codec: Codec, rows: usize, cols: usize) -> Weight {
        let weight = self.plan.weight(name, rows, cols);
        let bytes = random_blocks(codec, rows * cols / codec.block_len(), self.rng.next_u64());
        self.weights.push((codec, bytes));
        weight
    }

    /// An input: for each token, a row of random numbers.
    fn input(&mut self, name: &'static str, width: usize) -> Buf {
        let weight = self.weight(name, Codec::F32, N_INPUTS, width);
        let dst = self.plan.buf(name, width);
        self.plan.push(op::Embed { weight, scale: 1.0, dst });
        dst
    }

    /// Makes `x` the result, and compares it on all backends, over batches of these sizes.
    async fn check(mut self, x: Buf, batches: &[usize], nmse_max: f64) {
        let logits = self.plan.output_buf("result", self.plan.width(x));
        self.plan.push(op::TakeOutputs { x, dst: logits });
        self.plan.logits = Some(logits);
        let codecs: Vec<Codec> = self.weights.iter().map(|(codec, _)| *codec).collect();
        let mut reference = Reference::new(self.plan.clone(), codecs.clone(), self.n_ctx);
        let mut fast = fast_backends(&self.plan, &codecs, self.n_ctx).await;
        for (i, (_, bytes)) in self.weights.iter().enumerate() {
            reference.put(Weight(i), 0, bytes);
            fast.iter_mut().for_each(|(_, backend)| put(backend, Weight(i), bytes));
        }
        let mut start = 0;
        for n in batches {
            let tokens: Vec<u32> = (0..*n).map(|_| u32::try_from(self.rng.below(N_INPUTS)).expect("small")).collect();
            let batch = Batch { tokens: &tokens, outputs: Outputs::All };
            let expected = reference.forward(&batch);
            for (name, backend) in &mut fast {
                let actual = backend.forward(&batch).await.expect("the batch runs");
                let nmse = nmse(&expected, &actual);
                let nmse_max = match backend.cache_type() {
                    CacheType::F16 => nmse_max,
                    CacheType::Q8_0 => nmse_max.max(BYTE_NMSE),
                };
                let n = expected.len();
                assert!(nmse <= nmse_max, "{name}: nmse {nmse:e} of {n} results at {start}\n{}", self.plan);
            }
            start += n;
        }
    }
}

/// Every backend that is to agree with the reference, for this plan. A machine without a GPU fails here: see
/// `xtask/src/tools.rs` for the one that tests bring along. Node alone has none, and is asked for the CPU only.
async fn fast_backends(plan: &Plan, codecs: &[Codec], n_ctx: usize) -> Vec<(String, Backend)> {
    let cpu = |(cache_type, n_threads): (CacheType, usize)| {
        let machine = Machine { pool: pool(n_threads), ..Machine::alone() };
        let cpu = Cpu::new(plan.clone(), codecs.to_vec(), n_ctx, cache_type, machine);
        (format!("cpu, {}, for {n_threads} threads", cache_type.name()), Backend::Cpu(Box::new(cpu)))
    };
    let n_cache_types = if plan.memories.is_empty() { 1 } else { CacheType::ALL.len() };
    let kinds =
        CacheType::ALL.into_iter().take(n_cache_types).flat_map(|cache_type| [(cache_type, 1), (cache_type, 3)]);
    let mut backends: Vec<_> = kinds.map(cpu).collect();
    if let Some(device) = next_device().await {
        let gpu = Gpu::new(device.clone(), plan.clone(), codecs.to_vec(), n_ctx).expect("the plan fits the device");
        backends.push((format!("gpu, {}", device.tier()), Backend::Gpu(Box::new(gpu))));
    }
    backends
}

#[cfg(not(target_arch = "wasm32"))]
fn pool(n_threads: usize) -> Pool {
    Pool::spawn(n_threads)
}

/// The helpers never come: what counts here is how the work is cut.
#[cfg(target_arch = "wasm32")]
fn pool(n_threads: usize) -> Pool {
    Pool::new(n_threads).0
}

thread_local! {
    /// Never dropped: a thread that ends has lost what their library wants then.
    static DEVICES: Cell<[Option<&'static Device>; 3]> = const { Cell::new([None; 3]) };
    static N_CASES: Cell<usize> = Cell::new(first_turn());
}

/// By turns, the device as good as it is, the same with products of bytes, and as bad as any: with nothing but what WebGPU
/// promises, and matrices in many pieces. Compiling for a GPU that is a program takes long, so no case is run on all.
async fn next_device() -> Option<&'static Device> {
    let best = best_options().await?;
    let all = [best, Options { has_dots: true, ..best }, worst_options()];
    // After every round one further, so that neither types nor shapes keep to one of them.
    let n_cases = N_CASES.replace(N_CASES.get() + 1);
    let turn = (n_cases + n_cases / all.len()) % all.len();
    let mut devices = DEVICES.get();
    if devices[turn].is_none() {
        let device = Device::open(all[turn]).await.expect("a GPU, or a program that acts as one");
        devices[turn] = Some(Box::leak(Box::new(device)));
        DEVICES.set(devices);
    }
    devices[turn]
}

fn put(backend: &mut Backend, weight: Weight, bytes: &[u8]) {
    match backend {
        Backend::Reference(reference) => reference.put(weight, 0, bytes),
        Backend::Cpu(cpu) => cpu.put(weight, 0, bytes),
        Backend::Gpu(gpu) => gpu.put(weight, 0, bytes),
    }
}

/// Σ (a − b)² / Σ a².
fn nmse(expected: &[f32], actual: &[f32]) -> f64 {
    assert_eq!(expected.len(), actual.len());
    assert!(actual.iter().all(|x| x.is_finite()), "a result is not a number");
    let square = |x: f32| f64::from(x) * f64::from(x);
    let error: f64 = expected.iter().zip(actual).map(|(a, b)| square(a - b)).sum();
    let size: f64 = expected.iter().map(|a| square(*a)).sum();
    if size == 0.0 { error } else { error / size }
}

#[async_test]
async fn matmul() {
    let shapes = [(3, 256, 40), (65, 512, 7), (1000, 256, 33), (992, 256, 2)];
    for (i, codec) in Codec::ALL.iter().enumerate() {
        for (rows, cols, n_tokens) in for_turn(i, &shapes) {
            let mut case = Case::new();
            let x = case.input("x", cols);
            let weight = case.weight("w", *codec, rows, cols);
            let dst = case.plan.buf("dst", rows);
            case.plan.push(op::MatMul { x, weight, bias: None, dst });
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
        case.plan.push(op::MatMul { x, weight, bias: None, dst });
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
        case.plan.push(op::MatMul { x, weight, bias, dst });
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
            case.plan.push(op::MatMul { x: h, weight: gate_weight, bias: None, dst: gate });
            case.plan.push(op::MatMul { x: h, weight: up_weight, bias: None, dst: up });
            case.plan.push(op::Glu { gate, up, activation });
            case.plan.push(op::MatMul { x: gate, weight: down_weight, bias: None, dst: h });
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
            case.plan.push(op::MatMul { x, weight, bias: (rows == 96).then_some(bias), dst });
            dst
        });
        let (weight, d) = (case.weight("d", Codec::Q4_0, 96, 96), case.plan.buf("d", 96));
        case.plan.push(op::MatMul { x: b, weight, bias: None, dst: d });
        case.plan.push(op::Add { x: d, dst: x });
        case.plan.push(op::MatMul { x, weight, bias: None, dst: d });
        case.check([a, b, c, d][result], &[5, 1, 4], FLOAT_NMSE).await;
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
