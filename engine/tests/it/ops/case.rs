//! A case of the op tests: a small plan with random weights, and the backends that are to agree on it.

use crate::common::devices::{best_options, first_turn, worst_options};
use engine::backend::Backend;
use engine::cpu::{Cpu, Machine, Pool};
use engine::gpu::{Device, Gpu, Options};
use engine::plan::{Batch, Buf, Outputs, Plan, Weight, op};
use engine::protocol::CacheType;
use engine::quant::{Codec, random_blocks};
use engine::reference::Reference;
use engine::rng::Rng;
use std::cell::Cell;
use std::ops::Range;

/// ggml's bound for ops on floats; ours for matmuls too, whose activations keep 16 bits.
pub(super) const FLOAT_NMSE: f64 = 1e-7;
/// Ours where keys and values are halves.
pub(super) const HALF_NMSE: f64 = 1e-6;
/// Ours where they are bytes.
const BYTE_NMSE: f64 = 1e-4;
/// Rows of the weights that inputs are fetched from.
pub(super) const N_INPUTS: usize = 64;
/// Room in the cache.
const N_CTX: usize = 512;

/// A plan, and the weights it reads.
pub(super) struct Case {
    pub(super) plan: Plan,
    pub(super) n_ctx: usize,
    pub(super) weights: Vec<(Codec, Vec<u8>)>,
    rng: Rng,
}

impl Case {
    pub(super) fn new() -> Self {
        Self { plan: Plan::default(), n_ctx: N_CTX, weights: Vec::new(), rng: Rng::new(1) }
    }

    /// A weight of random numbers.
    pub(super) fn weight(&mut self, name: &str, codec: Codec, rows: usize, cols: usize) -> Weight {
        self.rows(name, codec, 0..rows, cols)
    }

    /// Some rows of a tensor, of random numbers.
    pub(super) fn rows(&mut self, name: &str, codec: Codec, rows: Range<usize>, cols: usize) -> Weight {
        let bytes = random_blocks(codec, rows.len() * cols / codec.block_len(), self.rng.next_u64());
        let weight = self.plan.weight_rows(name, rows, cols);
        self.weights.push((codec, bytes));
        weight
    }

    /// An input: for each token, a row of random numbers.
    pub(super) fn input(&mut self, name: &'static str, width: usize) -> Buf {
        let weight = self.weight(name, Codec::F32, N_INPUTS, width);
        let dst = self.plan.buf(name, width);
        self.plan.push(op::Embed { weight, scale: 1.0, dst });
        dst
    }

    /// Makes `x` the result, and compares it on all backends, over batches of these sizes.
    pub(super) async fn check(mut self, x: Buf, batches: &[usize], nmse_max: f64) {
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
pub(super) async fn fast_backends(plan: &Plan, codecs: &[Codec], n_ctx: usize) -> Vec<(String, Backend)> {
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

pub(super) fn put(backend: &mut Backend, weight: Weight, bytes: &[u8]) {
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
