//! Every op, on every type of weights, on odd shapes: the fast backends against the reference.
//!
//! A case is a small plan. Its inputs are rows of f32 weights, fetched by `Embed`, so that only the public way in is
//! used.

use engine::backend::{Batch, Outputs};
use engine::cpu::{Cpu, Machine};
use engine::dtype::DType;
use engine::plan::{Activation, Buf, Op, Plan, Rope, RopePairs, Weight};
use engine::quant::random_blocks;
use engine::reference::Reference;
use engine::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// ggml's bound for ops on floats; ours for matmuls too, whose activations keep 16 bits.
const FLOAT_NMSE: f64 = 1e-7;
/// Ours where keys and values are halves.
const HALF_NMSE: f64 = 1e-6;
/// Rows of the weights that inputs are fetched from.
const N_INPUTS: usize = 64;
/// Room in the cache.
const N_CTX: usize = 512;

/// A plan, and the weights it reads.
struct Case {
    plan: Plan,
    weights: Vec<(DType, Vec<u8>)>,
    rng: Rng,
}

impl Case {
    fn new() -> Self {
        Self { plan: Plan::default(), weights: Vec::new(), rng: Rng::new(1) }
    }

    /// A weight of random numbers.
    fn weight(&mut self, name: &str, dtype: DType, rows: usize, cols: usize) -> Weight {
        let weight = self.plan.weight(name, rows, cols);
        let bytes = random_blocks(dtype, rows * cols / dtype.block_len(), self.rng.next_u64());
        self.weights.push((dtype, bytes));
        weight
    }

    /// An input: for each token, a row of random numbers.
    fn input(&mut self, name: &'static str, width: usize) -> Buf {
        let weight = self.weight(name, DType::F32, N_INPUTS, width);
        let dst = self.plan.buf(name, width);
        self.plan.push(Op::Embed { weight, scale: 1.0, dst });
        dst
    }

    /// Makes `x` the result, and compares it on all backends, over batches of these sizes.
    #[track_caller]
    fn check(mut self, x: Buf, batches: &[usize], nmse_max: f64) {
        let logits = self.plan.output_buf("result", self.plan.width(x));
        self.plan.push(Op::TakeOutputs { x, dst: logits });
        self.plan.logits = Some(logits);
        let dtypes: Vec<DType> = self.weights.iter().map(|(dtype, _)| *dtype).collect();
        let mut reference = Reference::new(self.plan.clone(), dtypes.clone(), N_CTX);
        let mut cpu = Cpu::new(self.plan.clone(), dtypes, N_CTX, Machine::alone());
        for (i, (_, bytes)) in self.weights.iter().enumerate() {
            reference.put(Weight(i), 0, bytes);
            cpu.put(Weight(i), 0, bytes);
        }
        let mut start = 0;
        for n in batches {
            let tokens: Vec<u32> = (0..*n).map(|_| u32::try_from(self.rng.below(N_INPUTS)).expect("small")).collect();
            let batch = Batch { tokens: &tokens, start, outputs: Outputs::All };
            let (expected, actual) = (reference.forward(&batch), cpu.forward(&batch));
            let nmse = nmse(&expected, &actual);
            assert!(nmse <= nmse_max, "nmse {nmse:e} of {} results at {start}\n{}", expected.len(), self.plan);
            start += n;
        }
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

#[test]
fn matmul() {
    for dtype in DType::ALL {
        for (rows, cols, n_tokens) in [(1, 256, 40), (64, 256, 1), (65, 512, 7), (6, 768, 4), (1000, 256, 33)] {
            let mut case = Case::new();
            let x = case.input("x", cols);
            let weight = case.weight("w", *dtype, rows, cols);
            let dst = case.plan.buf("dst", rows);
            case.plan.push(Op::MatMul { x, weight, bias: None, dst });
            case.check(dst, &[n_tokens], FLOAT_NMSE);
        }
    }
}

#[test]
fn matmul_of_odd_rows_of_blocks() {
    for dtype in DType::ALL.iter().filter(|dtype| dtype.block_len() == 32) {
        let mut case = Case::new();
        let x = case.input("x", 576);
        let weight = case.weight("w", *dtype, 192, 576);
        let dst = case.plan.buf("dst", 192);
        case.plan.push(Op::MatMul { x, weight, bias: None, dst });
        case.check(dst, &[5], FLOAT_NMSE);
    }
}

#[test]
fn matmul_of_odd_floats() {
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let mut case = Case::new();
        let x = case.input("x", 37);
        let weight = case.weight("w", dtype, 11, 37);
        let bias = Some(case.weight("b", DType::F32, 1, 11));
        let dst = case.plan.buf("dst", 11);
        case.plan.push(Op::MatMul { x, weight, bias, dst });
        case.check(dst, &[1, 6], FLOAT_NMSE);
    }
}

#[test]
fn embed() {
    for dtype in DType::ALL {
        let mut case = Case::new();
        let weight = case.weight("w", *dtype, N_INPUTS + 3, 512);
        let dst = case.plan.buf("dst", 512);
        case.plan.push(Op::Embed { weight, scale: 2.5, dst });
        case.check(dst, &[1, 9], FLOAT_NMSE);
    }
}

#[test]
fn rms_norm() {
    for (width, group, in_place) in [(576, 576, false), (192, 64, true), (37, 37, false), (30, 10, true)] {
        let mut case = Case::new();
        let x = case.input("x", width);
        let weight = case.weight("w", DType::F32, 1, group);
        let dst = if in_place { x } else { case.plan.buf("dst", width) };
        case.plan.push(Op::RmsNorm { x, weight, eps: 1e-5, dst });
        case.check(dst, &[1, 5], FLOAT_NMSE);
    }
}

#[test]
fn rope() {
    let plain = Rope {
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
    let halves = Rope { pairs: RopePairs::Halves, ..plain };
    let linear = Rope { freq_scale: 0.125, ..halves };
    let yarn = Rope { freq_scale: 0.25, ext_factor: 1.0, ..plain };
    let partial = Rope { n_rot: 16, ..halves };
    for rope in [plain, halves, linear, yarn, partial] {
        for with_factors in [false, true] {
            let mut case = Case::new();
            let x = case.input("x", 3 * 64);
            let factors = with_factors.then(|| case.weight("f", DType::F32, 1, rope.n_rot / 2));
            case.plan.push(Op::Rope { x, head_dim: 64, factors, rope });
            case.check(x, &[3, 1, 40], FLOAT_NMSE);
        }
    }
}

#[test]
fn attention() {
    for (n_head, n_head_kv, head_dim) in [(9, 3, 64), (4, 1, 256), (2, 2, 80), (1, 1, 2), (6, 2, 20)] {
        for window in [None, Some(1), Some(5), Some(64)] {
            let mut case = Case::new();
            let q = case.input("q", n_head * head_dim);
            let k = case.input("k", n_head_kv * head_dim);
            let v = case.input("v", n_head_kv * head_dim);
            let cache = case.plan.cache(n_head_kv, head_dim);
            let dst = case.plan.buf("dst", n_head * head_dim);
            let scale = 1.0 / (head_dim as f32).sqrt();
            case.plan.push(Op::Store { k, v, cache });
            case.plan.push(Op::Attention { q, cache, n_head, scale, window, dst });
            case.check(dst, &[1, 1, 7, 1, 33, 128, 1], HALF_NMSE);
        }
    }
}

#[test]
fn glu_and_add() {
    for activation in [Activation::Silu, Activation::Gelu] {
        for width in [64, 37] {
            let mut case = Case::new();
            let gate = case.input("gate", width);
            let up = case.input("up", width);
            case.plan.push(Op::Glu { gate, up, activation });
            case.plan.push(Op::Add { x: up, dst: gate });
            case.check(gate, &[1, 5], FLOAT_NMSE);
        }
    }
}

#[test]
fn outputs_are_the_rows_that_were_asked_for() {
    let mut case = Case::new();
    let x = case.input("x", 8);
    let last = case.plan.output_buf("last", 8);
    case.plan.push(Op::TakeOutputs { x, dst: last });
    case.plan.logits = Some(last);
    let mut backend = Cpu::new(case.plan.clone(), vec![DType::F32], N_CTX, Machine::alone());
    backend.put(Weight(0), 0, &case.weights[0].1);
    let mut run = |outputs| backend.forward(&Batch { tokens: &[5, 3, 9], start: 0, outputs });
    let all = run(Outputs::All);
    assert_eq!(all.len(), 24);
    assert_eq!(run(Outputs::Last), all[16..]);
    assert_eq!(run(Outputs::None), [0.0; 0]);
}
