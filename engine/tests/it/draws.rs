//! What a device draws: the tokens that the sampler would draw from the same logits, with the same seed. Natively, and on the
//! WebGPU of browsers.

use crate::common::devices::{best_options, first_turn, for_turn, worst_options};
use crate::common::tiny;
use engine::backend::{Backend, BackendKind};
use engine::gpu::{Device, Gpu};
use engine::plan::{Batch, Outputs, Plan, op};
use engine::protocol::Sampling;
use engine::quant::{Codec, random_blocks};
use engine::sampler::Sampler;
#[cfg(not(target_arch = "wasm32"))]
use pollster::test as async_test;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as async_test;

/// Room in the cache: more than a device draws with the random numbers that it is sent at first. Of a browser it is not asked,
/// because some wait a tenth of a second for what they read back.
const N_CTX: usize = if cfg!(target_arch = "wasm32") { 32 } else { 160 };
/// Of a model that looks at the last token only.
const WIDTH: usize = 32;
/// What is drawn after.
const PROMPT: [u32; 5] = [1, 2, 3, 4, 5];

#[async_test]
async fn draws_are_the_samplers() {
    // A vocabulary of one slice, and one of three; and one where every logit comes seven times.
    let llama = tiny::load(&tiny::llama().finish(), BackendKind::Gpu(device(0).await), N_CTX);
    let mut models = vec![llama, bigram(9000, 1, device(1).await), bigram(9002, 7, device(2).await)];
    if cfg!(not(target_arch = "wasm32")) {
        models.push(odd(device(3).await)); // Compilers of browsers may assume that there is nothing of the kind.
    }
    let turns: Vec<usize> = (0..models.len()).collect();
    for (i, sampling) in samplings().iter().enumerate() {
        for model in for_turn(i, &turns) {
            check_draws(&mut models[model], sampling, 1 + i as u64).await;
        }
    }
}

fn samplings() -> Vec<Sampling> {
    let neutral = Sampling {
        temperature: 0.0,
        top_k: 40,
        top_p: 1.0,
        min_p: 0.0,
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        penalty_last_n: 8,
        seed: None,
    };
    // So cold that no two of many tokens are so close that rounding could take one for the other.
    let cold = Sampling { temperature: 0.3, top_k: 0, ..neutral.clone() };
    vec![
        neutral.clone(),
        Sampling { temperature: 1.0, ..neutral.clone() },
        Sampling { temperature: 0.8, top_k: 7, top_p: 0.9, ..neutral.clone() },
        Sampling { temperature: 1.5, top_k: 64, min_p: 0.05, ..neutral.clone() },
        Sampling { temperature: 1.0, repeat_penalty: 1.3, frequency_penalty: 0.2, presence_penalty: 0.1, ..neutral },
        cold.clone(),
        Sampling { top_p: 0.9, ..cold.clone() },
        Sampling { top_k: 500, top_p: 0.8, min_p: 0.01, repeat_penalty: 1.1, ..cold.clone() },
        Sampling { top_k: 100, ..cold.clone() },
        Sampling { top_k: 100, top_p: 0.7, ..cold },
    ]
}

/// A device for the test's model of this number: by turns as good as it is, and as bad as any.
async fn device(model: usize) -> Device {
    let best = best_options().await.expect("a GPU, or a program that acts as one");
    let options = if (first_turn() + model).is_multiple_of(2) { best } else { worst_options() };
    Device::open(options).await.expect("it opens")
}

/// A model that looks at the last token only, with random weights; so many neighbouring tokens are equally likely.
fn bigram(n_vocab: usize, n_equal: usize, device: Device) -> Backend {
    let rows_of = |seed| {
        let rows = random_blocks(Codec::F32, n_vocab * WIDTH, seed);
        let rows = rows.chunks_exact(4 * WIDTH).flat_map(|row| std::iter::repeat_n(row, n_equal)).take(n_vocab);
        rows.collect::<Vec<_>>().concat()
    };
    last_token(n_vocab, [rows_of(1), rows_of(2)], device)
}

/// The same, but of 60 logits all are infinite or no numbers but for five.
fn odd(device: Device) -> Backend {
    let n_vocab = 60;
    let mut output = vec![f32::NAN.to_le_bytes().repeat(WIDTH); n_vocab];
    for (i, token) in [3, 17, 18, 31, 59].into_iter().enumerate() {
        output[token] = random_blocks(Codec::F32, WIDTH, 3 + i as u64);
    }
    for token in [5, 40] {
        output[token] = [f32::INFINITY].into_iter().chain([0.0; WIDTH - 1]).flat_map(f32::to_le_bytes).collect();
    }
    last_token(n_vocab, [random_blocks(Codec::F32, n_vocab * WIDTH, 2), output.concat()], device)
}

/// Logits are `output` times the last token's row of `input`, both `[n_vocab, WIDTH]`.
fn last_token(n_vocab: usize, [input, output]: [Vec<u8>; 2], device: Device) -> Backend {
    let mut plan = Plan::default();
    let weights = [plan.weight("in", n_vocab, WIDTH), plan.weight("out", n_vocab, WIDTH)];
    let (x, last) = (plan.buf("x", WIDTH), plan.output_buf("last", WIDTH));
    let logits = plan.output_buf("logits", n_vocab);
    plan.push(op::Embed { weight: weights[0], scale: 1.0, dst: x });
    plan.push(op::TakeOutputs { x, dst: last });
    plan.push(op::MatMul { x: last, weight: weights[1], bias: None, scale: 1.0, dst: logits });
    plan.logits = Some(logits);
    let mut gpu = Gpu::new(device, plan, vec![Codec::F32; 2], N_CTX).expect("it fits");
    weights.into_iter().zip([input, output]).for_each(|(weight, rows)| gpu.put(weight, 0, &rows));
    Backend::Gpu(Box::new(gpu))
}

async fn check_draws(backend: &mut Backend, sampling: &Sampling, seed: u64) {
    let new_sampler = || {
        let mut sampler = Sampler::new(sampling, seed).limited(&[], backend.n_ctx() - PROMPT.len());
        PROMPT.iter().for_each(|token| sampler.accept(*token));
        sampler
    };
    let (mut by_host, mut by_device) = (new_sampler(), new_sampler());
    let mut expected = PROMPT.to_vec();
    backend.rewind(0);
    while expected.len() < backend.n_ctx() {
        let batch = Batch { tokens: &expected[backend.tokens().len()..], outputs: Outputs::Last };
        let mut logits = backend.forward(&batch).await.expect("it runs");
        let token = by_host.sample(&mut logits);
        by_host.accept(token);
        expected.push(token);
    }

    assert!(matches!(backend, Backend::Gpu(gpu) if gpu.can_sample(sampling)));
    let mut actual = PROMPT.to_vec();
    backend.rewind(0);
    while actual.len() < backend.n_ctx() {
        let new = actual[backend.tokens().len()..].to_vec();
        let token = backend.next(&new, &mut by_device).await.expect("it runs");
        by_device.accept(token);
        actual.push(token);
    }
    assert_eq!(actual, expected, "{sampling:?}");
    assert_eq!(by_device, by_host, "{sampling:?}");
}
