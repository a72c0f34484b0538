//! The whole model against llama.cpp: what each backend thinks comes next, at every position of the golden prompts.
//!
//! Whether the tokens are the same is asked in `tokenizer.rs`.

#![expect(clippy::print_stdout, reason = "the figures are worth seeing, not only whether they pass")]

#[path = "../../examples/common/open.rs"]
mod open;

use crate::common;
use engine::backend::{Backend, BackendKind};
use engine::plan::{Batch, Outputs};
use engine::protocol::CacheType;
use serde::Deserialize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{console_log as println, wasm_bindgen_test as test};

const SMOLLM2_GOLDEN: &str = include_str!("../golden/smollm2.json");
const GEMMA3_GOLDEN: &str = include_str!("../golden/gemma3.json");
/// The most likely token must be llama.cpp's at this share of positions.
const SAME_TOP_MIN: f64 = 0.98;
/// Σ p · ln(p / q) over llama.cpp's 20 most likely tokens, mean of all positions.
const DIVERGENCE_MAX: f64 = 0.01;
/// Tokens read at once: more than one batch for long prompts.
const BATCH_TOKENS: usize = 100;
/// The last tokens of a prompt are read one by one, as those of a reply are.
const N_ALONE: usize = 4;
/// Room for the longest prompt.
const N_CTX: usize = 1024;
/// Which prompts are read on the CPU: in wasm, in one thread, every fourth, the last and longest among them.
const ON_CPU: (usize, usize) = if cfg!(target_arch = "wasm32") { (3, 4) } else { (0, 1) };
/// Which where loops are plain, or the GPU is a program: every tenth. A build with `MINNOW_ALL_PROMPTS` reads all, everywhere.
#[cfg(not(target_arch = "wasm32"))]
const WHERE_SLOW: (usize, usize) = (0, 10);

#[derive(Deserialize)]
struct Golden {
    file: String,
    prompts: Vec<Prompt>,
}

/// See `golden/README.md`.
#[derive(Deserialize)]
struct Prompt {
    tokens: Vec<u32>,
    top: Vec<Vec<(u32, f64)>>,
}

#[test]
fn smollm2_cpu() {
    check(SMOLLM2_GOLDEN, BackendKind::Cpu(CacheType::F16), ON_CPU);
}

#[test]
fn smollm2_cpu_q8_0() {
    check(SMOLLM2_GOLDEN, BackendKind::Cpu(CacheType::Q8_0), ON_CPU);
}

#[test]
fn gemma3_cpu() {
    check(GEMMA3_GOLDEN, BackendKind::Cpu(CacheType::F16), ON_CPU);
}

/// Too slow for wasm, where ops are compared with it.
#[cfg(not(target_arch = "wasm32"))]
mod reference {
    use super::*;

    #[test]
    fn smollm2() {
        check(SMOLLM2_GOLDEN, BackendKind::Reference, WHERE_SLOW);
    }

    #[test]
    fn gemma3() {
        check(GEMMA3_GOLDEN, BackendKind::Reference, WHERE_SLOW);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod gpu {
    use super::*;
    use engine::gpu::{Device, Options};

    /// Every tenth, the last among them, which fills more than a page of the GPU's cache.
    const WITH_LONGEST: (usize, usize) = (3, 10);

    #[test]
    fn smollm2() {
        check(SMOLLM2_GOLDEN, gpu(Options::default()), WITH_LONGEST);
    }

    #[test]
    fn smollm2_dots() {
        check(SMOLLM2_GOLDEN, gpu(Options { has_dots: true, ..Options::default() }), WHERE_SLOW);
    }

    #[test]
    fn smollm2_plain() {
        check(SMOLLM2_GOLDEN, gpu(Options { plain: true, ..Options::default() }), WHERE_SLOW);
    }

    #[test]
    fn gemma3() {
        check(GEMMA3_GOLDEN, gpu(Options::default()), WHERE_SLOW);
    }

    fn gpu(options: Options) -> BackendKind {
        BackendKind::Gpu(pollster::block_on(Device::open(options)).expect("a GPU, or a program that acts as one"))
    }
}

/// Checks every n-th prompt from a first one on.
#[track_caller]
fn check(golden: &str, kind: BackendKind, picked: (usize, usize)) {
    let (first, n) = if option_env!("MINNOW_ALL_PROMPTS").is_some() { (0, 1) } else { picked };
    let name = format!("{kind:?}");
    let name = name.split("(Device").next().expect("split gives at least one part");
    let golden: Golden = serde_json::from_str(golden).expect("the golden file is as README.md says");
    let path = common::model_path(&golden.file);
    let mut opened = open::model(path.to_str().expect("a plain path"), kind, N_CTX).expect("the model loads");
    let (mut n_positions, mut n_same, mut divergence) = (0, 0, 0.0);
    for prompt in golden.prompts.iter().skip(first).step_by(n) {
        for (logits, top) in logits(&mut opened.backend, &prompt.tokens).iter().zip(&prompt.top) {
            let ours = log_probabilities(logits);
            let best = (0..ours.len()).max_by(|a, b| ours[*a].total_cmp(&ours[*b])).expect("a vocabulary");
            n_positions += 1;
            n_same += usize::from(best == top[0].0 as usize);
            divergence += top.iter().map(|(token, p)| p * (p.ln() - ours[*token as usize])).sum::<f64>();
        }
    }
    let (same, divergence) = (n_same as f64 / n_positions as f64, divergence / n_positions as f64);
    println!(
        "{} {name}: {n_positions} positions, same most likely token {same:.4}, mean divergence {divergence:.6}",
        golden.file
    );
    assert!(same >= SAME_TOP_MIN, "the most likely token is the same at only {same:.4} of {n_positions} positions");
    assert!(divergence <= DIVERGENCE_MAX, "mean divergence {divergence:.6} over {n_positions} positions");
}

/// The logits after every token of a prompt.
fn logits(backend: &mut Backend, tokens: &[u32]) -> Vec<Vec<f32>> {
    let (together, alone) = tokens.split_at(tokens.len().saturating_sub(N_ALONE));
    let mut rows = Vec::new();
    backend.rewind(0);
    for tokens in together.chunks(BATCH_TOKENS).chain(alone.chunks(1)) {
        let batch = Batch { tokens, outputs: Outputs::All };
        let logits = pollster::block_on(backend.forward(&batch)).expect("the batch runs");
        rows.extend(logits.chunks_exact(logits.len() / tokens.len()).map(<[f32]>::to_vec));
    }
    rows
}

fn log_probabilities(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|x| (f64::from(*x) - max).exp()).sum();
    logits.iter().map(|x| f64::from(*x) - max - sum.ln()).collect()
}
