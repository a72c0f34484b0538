//! Does this device compute what it should? A small plan with every fused step, on the device and by its definition.

use super::{Device, Drawing, Gpu};
use crate::backend::{Batch, Outputs};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Activation, Buf, Op, Plan, Rope, RopePairs, Weight};
use crate::protocol::Sampling;
use crate::quant::random_blocks;
use crate::reference::Reference;
use crate::sampler::Sampler;

/// Room in the cache.
const N_CTX: usize = 256;
/// More than one tile, and more than one part of what attention looks at.
const N_PROMPT: u32 = 150;
/// More than are submitted at first.
const N_DRAWN: usize = 7;
const N_VOCAB: usize = 96;
const WIDTH: usize = 128;
const N_FF: usize = 160;
const N_HEAD: usize = 8;
const HEAD_DIM: usize = 32;
const EPS: f32 = 1e-5;
/// Σ (a − b)² / Σ a²: keys and values are halves.
const NMSE_MAX: f32 = 1e-5;
/// How much less likely than the best a token may be that is drawn, as a share of the largest logit.
const APART_MAX: f32 = 0.02;

/// Compares the device with the definition.
///
/// # Errors
/// `Unsupported` if they disagree, and what the device says.
pub async fn self_test(device: &Device) -> Result<()> {
    let plan = plan();
    let dtypes: Vec<DType> = plan.matrices().iter().map(|m| if *m { DType::Q4_0 } else { DType::F32 }).collect();
    let mut gpu = Gpu::new(device.clone(), plan.clone(), dtypes.clone(), N_CTX)?;
    let mut reference = Reference::new(plan.clone(), dtypes.clone(), N_CTX);
    for (i, (info, dtype)) in plan.weights.iter().zip(&dtypes).enumerate() {
        let bytes = random_blocks(*dtype, info.rows * info.cols / dtype.block_len(), i as u64);
        gpu.put(Weight(i), 0, &bytes);
        reference.put(Weight(i), 0, &bytes);
    }
    let prompt: Vec<u32> = (0..N_PROMPT).map(|i| i * 37 % 64).collect();
    let mut start = 0;
    for tokens in [&prompt[..], &[3], &[9]] {
        let batch = Batch { tokens, start, outputs: Outputs::Last };
        let (expected, actual) = (reference.forward(&batch), gpu.forward(&batch).await?);
        let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
        check(error <= NMSE_MAX * size)?;
        start += tokens.len();
    }
    // In either way that a device draws, the most likely token.
    let from_few = Sampling { temperature: 0.0, repeat_penalty: 1.2, ..Sampling::default() };
    let from_all = Sampling { temperature: 1.0, top_k: 0, top_p: 1e-6, ..from_few.clone() };
    for sampling in [from_few, from_all] {
        draw(&mut gpu, &mut reference, start, sampling).await?;
    }
    Ok(())
}

/// The same for tokens that the device draws.
async fn draw(gpu: &mut Gpu, reference: &mut Reference, start: usize, sampling: Sampling) -> Result<()> {
    let mut sampler = Sampler::new(&sampling, 0);
    let mut token = 5;
    sampler.accept(token);
    let batch = Batch { tokens: &[token], start, outputs: Outputs::Last };
    let drawing = Drawing { sampling, chances: sampler.chances(), recent: sampler.recent(), n_max: N_DRAWN };
    gpu.start_drawing(&batch, &drawing)?;
    for start in (start..).take(N_DRAWN) {
        let mut logits = reference.forward(&Batch { tokens: &[token], start, outputs: Outputs::Last });
        let best = sampler.sample(&mut logits);
        token = gpu.drawn().await?;
        let largest = logits.iter().fold(0.0f32, |largest, logit| largest.max(logit.abs()));
        let apart = |drawn: &f32| logits[best as usize] - drawn;
        check(logits.get(token as usize).map(apart).is_some_and(|apart| apart <= APART_MAX * largest))?;
        sampler.accept(token);
    }
    gpu.settle().await
}

/// A comparison with what is not a number is false.
fn check(is_same: bool) -> Result<()> {
    if is_same {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "The GPU computes something else than it should."))
}

/// What layers differ in.
struct Layer {
    n_head_kv: usize,
    window: Option<usize>,
    pairs: RopePairs,
    activation: Activation,
    /// Every head has a norm, and what is added, too.
    has_norms: bool,
}

/// A layer of a llama and one of a gemma3, with tied embeddings.
fn plan() -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let embedding = p.weight("embedding", N_VOCAB, WIDTH);
    let x = p.buf("x", WIDTH);
    p.push(Op::Embed { weight: embedding, scale: 1.0, dst: x });
    for layer in [
        Layer {
            n_head_kv: 2,
            window: None,
            pairs: RopePairs::Neighbours,
            activation: Activation::Silu,
            has_norms: false,
        },
        Layer {
            n_head_kv: 1,
            window: Some(100),
            pairs: RopePairs::Halves,
            activation: Activation::Gelu,
            has_norms: true,
        },
    ] {
        attention(p, &layer, x);
        feed_forward(p, &layer, x);
    }
    let [last, normed] = ["last", "normed"].map(|name| p.output_buf(name, WIDTH));
    let logits = p.output_buf("logits", N_VOCAB);
    p.push(Op::TakeOutputs { x, dst: last });
    norm(p, last, WIDTH, normed);
    p.push(Op::MatMul { x: normed, weight: embedding, bias: None, dst: logits });
    plan.logits = Some(logits);
    plan
}

fn attention(p: &mut Plan, layer: &Layer, x: Buf) {
    let [h, normed] = ["h", "normed"].map(|name| p.buf(name, WIDTH));
    let [q, attended] = ["q", "attended"].map(|name| p.buf(name, N_HEAD * HEAD_DIM));
    let [k, v] = ["k", "v"].map(|name| p.buf(name, layer.n_head_kv * HEAD_DIM));
    let cache = p.cache(layer.n_head_kv, HEAD_DIM);
    let rope = Rope {
        pairs: layer.pairs,
        n_rot: HEAD_DIM,
        freq_base: 10_000.0,
        freq_scale: 1.0,
        ext_factor: 0.0,
        attn_factor: 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        n_ctx_orig: N_CTX,
    };
    norm(p, x, WIDTH, h);
    [q, k, v].into_iter().for_each(|dst| matmul(p, h, dst));
    if layer.has_norms {
        [q, k].into_iter().for_each(|heads| norm(p, heads, HEAD_DIM, heads));
    }
    [q, k].into_iter().for_each(|x| p.push(Op::Rope { x, head_dim: HEAD_DIM, factors: None, rope }));
    p.push(Op::Store { k, v, cache });
    // Random weights are large; with larger scores, attention would see one position only.
    p.push(Op::Attention { q, cache, n_head: N_HEAD, scale: 0.02, window: layer.window, dst: attended });
    matmul(p, attended, h);
    add(p, layer, h, normed, x);
}

fn feed_forward(p: &mut Plan, layer: &Layer, x: Buf) {
    let [h, normed] = ["h", "normed"].map(|name| p.buf(name, WIDTH));
    let [gate, up] = ["gate", "up"].map(|name| p.buf(name, N_FF));
    norm(p, x, WIDTH, h);
    [gate, up].into_iter().for_each(|dst| matmul(p, h, dst));
    p.push(Op::Glu { gate, up, activation: layer.activation });
    matmul(p, gate, h);
    add(p, layer, h, normed, x);
}

fn norm(p: &mut Plan, x: Buf, width: usize, dst: Buf) {
    let weight = p.weight(new_name(p), 1, width);
    p.push(Op::RmsNorm { x, weight, eps: EPS, dst });
}

fn matmul(p: &mut Plan, x: Buf, dst: Buf) {
    let weight = p.weight(new_name(p), p.width(dst), p.width(x));
    p.push(Op::MatMul { x, weight, bias: None, dst });
}

fn new_name(p: &Plan) -> String {
    format!("weight {}", p.weights.len())
}

fn add(p: &mut Plan, layer: &Layer, h: Buf, normed: Buf, x: Buf) {
    if layer.has_norms {
        norm(p, h, WIDTH, normed);
        p.push(Op::Add { x: normed, dst: x });
    } else {
        p.push(Op::Add { x: h, dst: x });
    }
}
