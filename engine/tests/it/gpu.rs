//! Whole tiny models on the GPU: what is fused, what a token costs, that the answer is the reference's.

use crate::common::tiny;
use engine::backend::{Backend, BackendKind};
use engine::error::ErrorKind;
use engine::gpu::fuse::{Fused, fuse};
use engine::gpu::kernels::{self, Grid};
use engine::gpu::tier::Tier;
use engine::gpu::{Counters, Device, Gpu, Options, self_test, test_conv, test_products};
use engine::model::Model;
use engine::plan::{Batch, Outputs, Plan, op};
use engine::quant::Codec;
use expect_test::expect;

/// Room in the cache.
const N_CTX: usize = 160;
/// Layers of the tiny models.
const N_LAYER_LLAMA: usize = 2;
const N_LAYER_GEMMA3: usize = 7;
const N_LAYER_LFM2: usize = 4;

fn load(file: &[u8], kind: BackendKind) -> Backend {
    tiny::load(file, kind, N_CTX)
}

fn device(options: Options) -> Device {
    pollster::block_on(Device::open(options)).expect("a GPU, or a program that acts as one")
}

/// What devices can do: the best that this one can, with and without products of bytes, and what all can.
fn tiers() -> [Options; 3] {
    let best = Options::default();
    [best, Options { has_dots: true, ..best }, Options { plain: true, ..best }]
}

fn forward(backend: &mut Backend, tokens: &[u32], start: usize, outputs: Outputs) -> Vec<f32> {
    assert_eq!(backend.rewind(start), start);
    pollster::block_on(backend.forward(&Batch { tokens, outputs })).expect("it runs")
}

fn fused(file: &[u8]) -> (Plan, Fused) {
    let gguf = tiny::parse(file);
    let model = Model::new(&gguf).expect("a model");
    let fused = fuse(&model.plan, &model.codecs(&gguf), usize::MAX);
    (model.plan, fused)
}

#[test]
fn answers_are_the_references() {
    for file in [tiny::llama().finish(), tiny::gemma3().finish()] {
        for options in tiers() {
            let mut reference = load(&file, BackendKind::Reference);
            let mut gpu = load(&file, BackendKind::Gpu(device(options)));
            // A prompt, single tokens, and back into the middle.
            for (tokens, start) in [(&[1, 2, 3, 4, 5, 6, 7][..], 0), (&[8], 7), (&[9, 10], 8), (&[11], 3)] {
                let expected = forward(&mut reference, tokens, start, Outputs::Last);
                let actual = forward(&mut gpu, tokens, start, Outputs::Last);
                let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
                let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
                assert!(error / size < 1e-5, "error {} at {start}", error / size);
            }
        }
    }
}

/// It grows by pages of 512 positions.
#[test]
fn a_cache_that_grows_keeps_what_it_holds() {
    let file = tiny::llama().finish();
    let kinds = [BackendKind::Reference, BackendKind::Gpu(device(Options::default()))];
    let answers = kinds.map(|kind| {
        let mut backend = tiny::load(&file, kind, 600);
        let prompt: Vec<u32> = (0..530).map(|i| i * 7 % 20).collect();
        let (before, after) = prompt.split_at(505);
        forward(&mut backend, before, 0, Outputs::None);
        forward(&mut backend, after, before.len(), Outputs::Last)
    });
    let error: f32 = answers[0].iter().zip(&answers[1]).map(|(a, b)| (a - b).powi(2)).sum();
    let size: f32 = answers[0].iter().map(|a| a.powi(2)).sum();
    assert!(error / size < 1e-5, "error {}", error / size);
}

/// On a 32-bit machine, its sizes would wrap around.
#[test]
fn what_is_too_wide_is_refused() {
    let mut plan = Plan::default();
    let narrow = plan.buf("narrow", 32);
    let wide = plan.buf("wide", 1 << 24);
    let weight = plan.weight("weight", 1 << 24, 32);
    plan.push(op::Embed { weight, scale: 1.0, dst: narrow });
    plan.push(op::MatMul { x: narrow, weight, bias: None, scale: 1.0, dst: wide });
    let error = Gpu::new(device(Options::default()), plan, vec![Codec::Q4_0], N_CTX).expect_err("16 GiB");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("too wide"), "{error}");
}

#[test]
fn a_layer_of_llama_is_six_steps() {
    let (plan, fused) = fused(&tiny::llama().finish());
    expect![[r#"
        x = embed
        q, k, v = matmul norm x
        q, cache0 = rope q k v
        attended = attention q cache0
        x += matmul attended
        gate = Silu · matmul norm x
        x += matmul gate
        q, k, v = matmul norm x
        q, cache1 = rope q k v
        attended = attention q cache1
        x += matmul attended
        gate = Silu · matmul norm x
        x += matmul gate
        logits = matmul norm outputs of x
    "#]]
    .assert_eq(&fused.describe(&plan));
}

#[test]
fn a_layer_of_gemma3_is_eight_steps() {
    let (plan, fused) = fused(&tiny::gemma3().finish());
    let text = fused.describe(&plan);
    let first_layer: Vec<&str> = text.lines().take(9).collect();
    expect![[r#"
        x = embed
        q, k, v = matmul norm x
        q, cache0 = rope norm q k v
        attended = attention q cache0
        h = matmul attended
        x += norm h
        gate = Gelu · matmul norm x
        h = matmul gate
        x += norm h"#]]
    .assert_eq(&first_layer.join("\n"));
}

#[test]
fn a_layer_of_lfm2_is_seven_steps() {
    let (plan, fused) = fused(&tiny::lfm2().finish());
    let text = fused.describe(&plan);
    let first_layers: Vec<&str> = text.lines().take(14).collect();
    expect![[r#"
        x = embed
        gate_in, gate_out, input = matmul norm x
        gated = mul gate_in input
        mixed = conv gated state0
        gated = mul gate_out mixed
        x += matmul gated
        gate = Silu · matmul norm x
        x += matmul gate
        q, k, v = matmul norm x
        q, cache1 = rope norm q k v
        attended = attention q cache1
        x += matmul attended
        gate = Silu · matmul norm x
        x += matmul gate"#]]
    .assert_eq(&first_layers.join("\n"));
}

fn counters(backend: &Backend) -> Counters {
    match backend {
        Backend::Gpu(gpu) => gpu.counters(),
        Backend::Reference(_) | Backend::Cpu(_) => unreachable!("it was loaded for the GPU"),
    }
}

/// Dispatches may be up to `per_layer` a layer and six a token; everything else is the same for all models.
#[track_caller]
fn check_cost(file: &[u8], n_layer: usize, per_layer: usize) {
    let mut backend = load(file, BackendKind::Gpu(device(Options::default())));
    forward(&mut backend, &[1, 2, 3], 0, Outputs::Last);
    forward(&mut backend, &[4], 3, Outputs::Last);
    let before = counters(&backend);
    forward(&mut backend, &[5], 4, Outputs::Last);
    let after = counters(&backend);
    let Counters { n_dispatches, n_submits, n_bind_groups, n_pipelines, n_writes, written_bytes, .. } = before;
    let n_dispatches = after.n_dispatches - n_dispatches;
    assert!(n_dispatches <= per_layer * n_layer + 6, "{n_dispatches} dispatches for {n_layer} layers");
    assert_eq!(after.n_submits - n_submits, 1);
    assert_eq!(after.n_bind_groups, n_bind_groups);
    assert_eq!(after.n_pipelines, n_pipelines);
    assert!(after.n_writes - n_writes <= 2);
    assert!(after.written_bytes - written_bytes <= 256);
}

#[test]
fn a_token_costs_little() {
    // Two layers have biases, which are not put together with others: one or two dispatches more.
    check_cost(&tiny::llama().finish(), N_LAYER_LLAMA, 8);
    check_cost(&tiny::gemma3().finish(), N_LAYER_GEMMA3, 9);
    check_cost(&tiny::lfm2().finish(), N_LAYER_LFM2, 7);
}

/// All heads that share keys and values are taken by the same workgroups.
#[test]
fn keys_and_values_are_read_once() {
    for (n_head, n_head_kv, head_dim) in [(9, 3, 64), (4, 1, 256), (32, 4, 64), (14, 2, 64), (32, 4, 128), (16, 1, 64)]
    {
        let mut plan = Plan::default();
        let [q, dst] = ["q", "dst"].map(|name| plan.buf(name, n_head * head_dim));
        let cache = plan.kv_cache(n_head_kv, head_dim, None);
        plan.push(op::Attention { q, cache, n_head, scale: 1.0, window: None, dst });
        for tier in [Tier::PLAIN, Tier::subgroups(32)] {
            let kernels = kernels::all(&plan, &[], tier, 4096);
            let grids = kernels.iter().filter_map(|kernel| match kernel.grid {
                Grid::Parts(n, _) => Some(n),
                Grid::Groups(_) | Grid::Rows(..) | Grid::Tiles(..) | Grid::Queries(..) => None,
            });
            assert_eq!(grids.collect::<Vec<_>>(), [n_head_kv], "{tier}: {n_head} heads share {n_head_kv}");
        }
    }
}

/// Else a person who stops a long prompt would stop nothing.
#[test]
fn the_host_knows_how_far_a_prompt_is() {
    let mut backend = load(&tiny::llama().finish(), BackendKind::Gpu(device(Options::default())));
    let n_batches = 6;
    for i in 0..n_batches {
        forward(&mut backend, &[1, 2, 3], 3 * i, Outputs::None);
        let Counters { n_batches, n_reads, .. } = counters(&backend);
        assert!(n_batches <= n_reads + 2, "{n_batches} batches, {n_reads} known to be done");
    }
    pollster::block_on(backend.wait_idle()).expect("they are done");
    assert_eq!(counters(&backend).n_reads, n_batches);
}

#[test]
fn a_lost_device_is_an_error() {
    let device = device(Options::default());
    let mut backend = load(&tiny::llama().finish(), BackendKind::Gpu(device.clone()));
    forward(&mut backend, &[1, 2, 3], 0, Outputs::Last);
    device.destroy();
    let batch = Batch { tokens: &[4], outputs: Outputs::Last };
    let error = pollster::block_on(backend.forward(&batch)).expect_err("the device is gone");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(backend.is_lost());
}

#[test]
fn the_self_test_passes() {
    for (turn, options) in tiers().into_iter().enumerate() {
        let device = device(options);
        pollster::block_on(self_test(&device)).expect("the device computes what it should");
        pollster::block_on(test_conv(&device)).expect("it convolves as it should");
        // Types take turns: on every tier they all take long.
        for codec in Codec::ALL.iter().skip(turn).step_by(tiers().len()) {
            pollster::block_on(test_products(&device, *codec)).expect("it multiplies as it should");
        }
    }
}
