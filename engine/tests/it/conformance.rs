//! Every architecture against llama.cpp: a tiny random model of each, on every backend.
//!
//! llama.cpp computes in exact arithmetic, and keeps keys and values as f32, so bounds are close: see `golden/README.md`.

#![expect(clippy::print_stdout, reason = "the figures are worth seeing, not only whether they pass")]

use crate::common::architectures::{MODELS, TinyModel, parse};
use engine::backend::{Backend, BackendKind};
use engine::cpu::Machine;
use engine::gpu::{Device, Options};
use engine::load::Loader;
use engine::model::architectures;
use engine::plan::{Batch, Outputs};
use engine::protocol::CacheType;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Room for the longest prompt; less than what models with two sets of rotary factors were first trained with.
const N_CTX: usize = 64;
/// Tokens read at once, so that a prompt is several batches; the last ones are read one by one.
const BATCH_TOKENS: usize = 20;
const N_ALONE: usize = 3;
/// The most likely token counts where llama.cpp's two best logits differ by more than this.
const MARGIN_MIN: f64 = 0.05;
/// It may be another at this share of these positions.
const OTHER_TOP_MAX: f64 = 0.01;

/// The divergence of distributions over all positions, at most.
#[derive(Clone, Copy)]
struct Bounds {
    median: f64,
    percentile_95: f64,
}

/// Sums in another order.
const EXACT: Bounds = Bounds { median: 1e-6, percentile_95: 1e-5 };
/// Also keys and values of 16 bits, and activations of 16 bits on the CPU.
const FAST: Bounds = Bounds { median: 1e-5, percentile_95: 1e-4 };

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<Prompt>,
}

/// See `golden/README.md`.
#[derive(Deserialize)]
struct Prompt {
    tokens: Vec<u32>,
    top: Vec<Vec<(u32, f64)>>,
}

/// It also writes the models, for `golden/conformance.mjs` to ask llama.cpp.
#[test]
fn every_architecture_has_a_tiny_model() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny-models");
    std::fs::create_dir_all(&folder).expect("a folder of the build's own");
    let mut named = BTreeSet::new();
    for model in MODELS {
        let file = model.file();
        named.extend(parse(&file).metadata.str("general.architecture").expect("a name").map(str::to_owned));
        std::fs::write(folder.join(model.name).with_extension("gguf"), file).expect("there is room");
    }
    for name in architectures() {
        assert!(named.contains(name), "{name} has no row in `architectures.rs`");
    }
}

#[test]
fn reference() {
    check_all(|| BackendKind::Reference, EXACT);
}

#[test]
fn cpu() {
    check_all(|| BackendKind::Cpu(CacheType::F16), FAST);
}

#[test]
fn gpu() {
    let device = pollster::block_on(Device::open(Options::default())).expect("a GPU, or a program that acts as one");
    check_all(|| BackendKind::Gpu(device.clone()), FAST);
}

fn check_all(kind: impl Fn() -> BackendKind, bounds: Bounds) {
    let failures: Vec<String> = MODELS.iter().filter_map(|model| check(model, kind(), bounds).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(model: &TinyModel, kind: BackendKind, bounds: Bounds) -> Result<(), String> {
    let golden = golden(model.name);
    let mut backend = load(&model.file(), kind);
    let (mut n_clear, mut n_other, mut divergences) = (0, 0, Vec::new());
    for prompt in &golden.prompts {
        for (logits, top) in logits(&mut backend, &prompt.tokens).iter().zip(&prompt.top) {
            let ours = log_probabilities(logits);
            let best = (0..ours.len()).max_by(|a, b| ours[*a].total_cmp(&ours[*b])).expect("a vocabulary");
            let is_clear = top[0].1.ln() - top[1].1.ln() > MARGIN_MIN;
            n_clear += usize::from(is_clear);
            n_other += usize::from(is_clear && best != top[0].0 as usize);
            divergences.push(divergence(top, &ours));
        }
    }
    divergences.sort_by(f64::total_cmp);
    let percentile = |percent: usize| divergences[(divergences.len() - 1) * percent / 100];
    let (median, percentile_95) = (percentile(50), percentile(95));
    let figures = format!(
        "{}: {n_other} of {n_clear} most likely tokens differ; divergence {median:.1e}, 95th percentile {percentile_95:.1e}",
        model.name
    );
    println!("{figures}");
    let is_near = median <= bounds.median && percentile_95 <= bounds.percentile_95;
    if is_near && n_other as f64 <= OTHER_TOP_MAX * n_clear as f64 { Ok(()) } else { Err(figures) }
}

/// Σ p · ln(p / q) over llama.cpp's most likely tokens, and all others as one.
fn divergence(top: &[(u32, f64)], ours: &[f64]) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * (p.ln() - q.max(1e-9).ln()) } else { 0.0 };
    let (p, q) = top.iter().fold((1.0, 1.0), |(p, q), (id, p_of)| (p - p_of, q - ours[*id as usize].exp()));
    let listed: f64 = top.iter().map(|(id, p)| term(*p, ours[*id as usize].exp())).sum();
    listed + term(p, q)
}

fn golden(name: &str) -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/conformance/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the golden file is as README.md says")
}

fn load(file: &[u8], kind: BackendKind) -> Backend {
    let mut loader = Loader::new(&parse(file), kind, N_CTX, Machine::alone()).expect("it fits");
    for piece in loader.pieces() {
        let start = usize::try_from(piece.offset).expect("small");
        loader.put(&piece, &file[start..start + piece.len]).expect("it is as long as it says");
    }
    loader.finish().expect("everything is there").1
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
