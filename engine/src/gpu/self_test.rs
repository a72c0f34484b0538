//! Does this device compute what it should? A small plan with every fused step, and products of the types that a model has,
//! on the device and by their definitions.

use super::tier::{Reduce, Tier};
use super::{Device, Gpu};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Activation, Batch, Buf, Op, Outputs, Plan, RopePairs, RopeParams, Weight, op};
use crate::protocol::Sampling;
use crate::quant::Codec;
use crate::quant::random_blocks;
use crate::reference::Reference;
use crate::sampler::Sampler;

/// Room in the cache.
const N_CTX: usize = 128;
/// More than the candidates that a draw is from, if it is not from all.
const N_VOCAB: usize = 160;
/// Of more than 16 chunks, so that a sum is shared by as many invocations as by any model.
const WIDTH: usize = 544;
const N_FF: usize = 544;
/// Whole blocks of every type.
const WIDTH_OF_BLOCKS: usize = 768;
const WINDOW: usize = 48;
const EPS: f32 = 1e-5;
/// Σ (a − b)² / Σ a²: keys and values are halves.
const NMSE_MAX: f32 = 1e-5;

/// A plan on the device and by its definition, with the same weights.
struct Pair {
    gpu: Gpu,
    reference: Reference,
}

impl Pair {
    /// Random weights, matrices of this type.
    fn new(device: &Device, plan: Plan, matrices: Codec) -> Result<Self> {
        let codecs: Vec<Codec> = plan.matrices().iter().map(|m| if *m { matrices } else { Codec::F32 }).collect();
        let mut gpu = Gpu::new(device.clone(), plan.clone(), codecs.clone(), N_CTX)?;
        let mut reference = Reference::new(plan.clone(), codecs.clone(), N_CTX);
        for (i, (info, codec)) in plan.weights.iter().zip(&codecs).enumerate() {
            let bytes = random_blocks(*codec, info.rows * info.cols / codec.block_len(), i as u64);
            gpu.put(Weight(i), 0, &bytes);
            reference.put(Weight(i), 0, &bytes);
        }
        Ok(Self { gpu, reference })
    }

    /// Whether the device gives the same logits.
    async fn agrees(&mut self, batch: &Batch<'_>) -> Result<bool> {
        let (expected, actual) = (self.reference.forward(batch), self.gpu.forward(batch).await?);
        let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
        Ok(error <= NMSE_MAX * size)
    }
}

/// More than one tile and one step of attention.
fn prompt() -> Vec<u32> {
    (0..70).map(|i| i * 37 % 64).collect()
}

/// Compares products of weights of this type, of many tokens and of one, and rows of them, with their definition.
///
/// # Errors
/// `Unsupported` if they disagree, and what the device says.
pub async fn test_products(device: &Device, codec: Codec) -> Result<()> {
    let mut plan = Plan::default();
    let weight = plan.weight("weight", N_VOCAB, WIDTH_OF_BLOCKS);
    let (x, products) = (plan.buf("x", WIDTH_OF_BLOCKS), plan.buf("products", N_VOCAB));
    let logits = plan.output_buf("logits", N_VOCAB);
    plan.push(op::Embed { weight, scale: 1.0, dst: x });
    plan.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst: products });
    plan.push(op::TakeOutputs { x: products, dst: logits });
    plan.logits = Some(logits);
    let mut pair = Pair::new(device, plan, codec)?;
    for tokens in [&prompt()[..], &[3]] {
        if !pair.agrees(&Batch { tokens, outputs: Outputs::All }).await? {
            let message = format!("It multiplies weights of {codec} to something else than it should.");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    Ok(())
}

/// Taps of the convolution that is tested, and its channels: more than a workgroup's.
const N_TAPS: usize = 4;
const N_CHANNELS: usize = 100;

/// Compares a convolution, of many tokens and of one, with its definition.
///
/// # Errors
/// `Unsupported` if they disagree, and what the device says.
pub async fn test_conv(device: &Device) -> Result<()> {
    let mut plan = Plan::default();
    let embedding = plan.weight("embedding", N_VOCAB, N_CHANNELS);
    let (weight, bias) = (plan.weight("taps", N_CHANNELS, N_TAPS), plan.weight("bias", 1, N_CHANNELS));
    let [x, mixed, gated] = ["x", "mixed", "gated"].map(|name| plan.buf(name, N_CHANNELS));
    let logits = plan.output_buf("logits", N_CHANNELS);
    let state = plan.conv_state(N_CHANNELS, N_TAPS);
    plan.push(op::Embed { weight: embedding, scale: 1.0, dst: x });
    plan.push(op::Conv { x, weight, bias: Some(bias), activation: Some(Activation::Silu), state, dst: mixed });
    plan.push(op::Mul { a: x, b: mixed, dst: gated });
    plan.push(op::TakeOutputs { x: gated, dst: logits });
    plan.logits = Some(logits);
    let mut pair = Pair::new(device, plan, Codec::F32)?;
    for tokens in [&prompt()[..], &[3], &[9]] {
        if !pair.agrees(&Batch { tokens, outputs: Outputs::All }).await? {
            return Err(Error::new(ErrorKind::Unsupported, "The GPU convolves to something else than it should."));
        }
    }
    Ok(())
}

impl Gpu {
    /// Compares the ops that only some models have, if this one has them, with their definitions, on the same device.
    ///
    /// # Errors
    /// `Unsupported` if they disagree, and what the device says.
    pub async fn test_ops(&self) -> Result<()> {
        let has_conv = self.plan.ops.iter().any(|op| matches!(op, Op::Conv(_)));
        if has_conv { test_conv(&self.device.without_pipelines()).await } else { Ok(()) }
    }
}

/// Compares the device with the definition.
///
/// # Errors
/// `Unsupported` if they disagree, and what the device says.
pub async fn self_test(device: &Device) -> Result<()> {
    let mut pair = Pair::new(device, plan(device.tier()), Codec::Q4_0)?;
    // A prompt, then single tokens.
    let prompt = prompt();
    for tokens in [&prompt[..], &[3], &[9]] {
        if !pair.agrees(&Batch { tokens, outputs: Outputs::Last }).await? {
            return Err(Error::new(ErrorKind::Unsupported, "The GPU computes something else than it should."));
        }
    }
    let Pair { mut gpu, mut reference } = pair;
    // The most likely token; one of some, as the page draws if nobody says otherwise; and one of all, and of the best of all.
    let (next, len) = (&[5], gpu.tokens().len());
    let logits = reference.forward(&Batch { tokens: next, outputs: Outputs::Last });
    for (temperature, top_k, top_p, min_p) in
        [(0.0, 0, 1.0, 0.0), (1.0, 40, 0.95, 0.05), (1.0, 0, 1.0, 0.0), (1.0, 0, 0.9, 0.0)]
    {
        let sampling = Sampling { temperature, top_k, top_p, min_p, repeat_penalty: 1.1, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, 1).limited(&[], 1);
        prompt.iter().for_each(|token| sampler.accept(*token));
        let token = gpu.next(next, &mut sampler.clone()).await?;
        if token != sampler.sample(&mut logits.clone()) {
            return Err(Error::new(ErrorKind::Unsupported, "The GPU samples another token than it should."));
        }
        gpu.rewind(len);
    }
    Ok(())
}

/// The heads of a layer.
struct Heads {
    n_head: usize,
    n_head_kv: usize,
    head_dim: usize,
}

/// Some that share keys and values.
const OF_LLAMA: Heads = Heads { n_head: 4, n_head_kv: 2, head_dim: 64 };

/// One so large that as many invocations of a subgroup share it as by any model.
fn of_gemma(tier: Tier) -> Heads {
    let head_dim = match tier.reduce {
        Reduce::Subgroup => 8 * tier.lanes_max,
        Reduce::Workgroup => 256,
    };
    Heads { n_head: 1, n_head_kv: 1, head_dim }
}

/// A layer of a llama and one of a gemma, with tied embeddings.
fn plan(tier: Tier) -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let embedding = p.weight("embedding", N_VOCAB, WIDTH);
    let last_norm = p.weight("last_norm", 1, WIDTH);
    let [x, h] = ["x", "h"].map(|name| p.buf(name, WIDTH));
    let ff = ["gate", "up"].map(|name| p.buf(name, N_FF));
    p.push(op::Embed { weight: embedding, scale: 1.0, dst: x });
    add_layer(p, [x, h], ff, OF_LLAMA, false);
    add_layer(p, [x, h], ff, of_gemma(tier), true);
    let [last, normed] = ["last", "normed"].map(|name| p.output_buf(name, WIDTH));
    let logits = p.output_buf("logits", N_VOCAB);
    p.push(op::TakeOutputs { x, dst: last });
    p.push(op::RmsNorm { x: last, weight: last_norm, eps: EPS, dst: normed });
    p.push(op::MatMul { x: normed, weight: embedding, bias: None, scale: 1.0, dst: logits });
    plan.logits = Some(logits);
    plan
}

/// A layer as llamas have it, or as gemmas do: with norms of heads and of what is added, a window, and another activation.
fn add_layer(p: &mut Plan, [x, h]: [Buf; 2], [gate, up]: [Buf; 2], heads: Heads, is_gemma: bool) {
    let Heads { n_head, n_head_kv, head_dim } = heads;
    let name = |part: &str| format!("{part} {}", if is_gemma { "of gemma" } else { "of llama" });
    let norm = |p: &mut Plan, x: Buf, part: &str, cols: usize, dst: Buf| {
        let weight = p.weight(name(part), 1, cols);
        p.push(op::RmsNorm { x, weight, eps: EPS, dst });
    };
    let matmul = |p: &mut Plan, x: Buf, part: &str, dst: Buf| {
        let (rows, cols) = (p.width(dst), p.width(x));
        let weight = p.weight(name(part), rows, cols);
        p.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst });
    };
    let rope = RopeParams {
        pairs: RopePairs::Halves,
        n_rot: head_dim,
        freq_base: 10_000.0,
        freq_scale: 1.0,
        ext_factor: 0.0,
        attn_factor: 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        n_ctx_orig: N_CTX,
    };
    // Random weights are large; with a larger scale, attention would see one position only.
    let (scale, window) = if is_gemma { (0.0625, Some(WINDOW)) } else { (1e-3, None) };
    let activation = if is_gemma { Activation::Gelu } else { Activation::Silu };
    let [q, attended] = ["q", "attended"].map(|name| p.buf(name, n_head * head_dim));
    let [k, v] = ["k", "v"].map(|name| p.buf(name, n_head_kv * head_dim));
    let cache = p.kv_cache(n_head_kv, head_dim, window);
    norm(p, x, "norm", WIDTH, h);
    for (part, dst) in [("q", q), ("k", k), ("v", v)] {
        matmul(p, h, part, dst);
    }
    if is_gemma {
        norm(p, q, "q_norm", head_dim, q);
        norm(p, k, "k_norm", head_dim, k);
    }
    p.push(op::Rope { x: q, head_dim, factors: None, rope });
    p.push(op::Rope { x: k, head_dim, factors: None, rope });
    p.push(op::Store { k, v, cache });
    p.push(op::Attention { q, cache, n_head, scale, window, dst: attended });
    matmul(p, attended, "o", h);
    if is_gemma {
        norm(p, h, "post_norm", WIDTH, h);
    }
    p.push(op::Add { x: h, dst: x });
    norm(p, x, "ffn_norm", WIDTH, h);
    matmul(p, h, "gate", gate);
    matmul(p, h, "up", up);
    p.push(op::Glu { gate, up, activation });
    matmul(p, gate, "down", h);
    if is_gemma {
        norm(p, h, "post_ffn_norm", WIDTH, h);
    }
    p.push(op::Add { x: h, dst: x });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernels;

    /// A GPU is not trusted with more invocations to a sum, or to a head, than it was tested with.
    #[test]
    fn as_many_invocations_share_the_work_as_by_any_model() {
        for tier in [4, 8, 16, 64].map(Tier::subgroups).into_iter().chain([Tier::PLAIN]) {
            let plan = plan(tier);
            let codecs = vec![Codec::Q4_0; plan.weights.len()];
            let kernels = kernels::all(&plan, &codecs, tier, N_CTX);
            let most = |name: &str| {
                let constants = kernels.iter().flat_map(|kernel| &kernel.constants);
                constants.filter(|(constant, _)| *constant == name).map(|(_, n)| *n).fold(0.0, f64::max)
            };
            assert_eq!(most("LANES"), tier.lanes_max as f64, "{tier}");
            let units = if tier.reduce == Reduce::Subgroup { tier.lanes_max } else { 0 };
            assert_eq!(most("UNITS"), units as f64, "{tier}");
        }
    }
}
