//! Does this device compute what it should? A small plan with every fused step, on the device and by its definition.

use super::{Device, Gpu};
use crate::backend::{Batch, Outputs};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Activation, Op, Plan, Rope, RopePairs, Weight};
use crate::quant::random_blocks;
use crate::reference::Reference;

/// Room in the cache.
const N_CTX: usize = 128;
const N_VOCAB: usize = 64;
const WIDTH: usize = 256;
const N_FF: usize = 320;
const N_HEAD: usize = 4;
const HEAD_DIM: usize = 64;
/// Σ (a − b)² / Σ a²: keys and values are halves.
const NMSE_MAX: f32 = 1e-5;

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
    // A prompt of more than one tile and one step of attention, then single tokens.
    let prompt: Vec<u32> = (0..70).map(|i| i * 37 % 64).collect();
    for (tokens, start) in [(&prompt[..], 0), (&[3], prompt.len()), (&[9], prompt.len() + 1)] {
        let batch = Batch { tokens, start, outputs: Outputs::Last };
        let (expected, actual) = (reference.forward(&batch), gpu.forward(&batch).await?);
        let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
        if error.is_nan() || error > NMSE_MAX * size {
            return Err(Error::new(ErrorKind::Unsupported, "The GPU computes something else than it should."));
        }
    }
    Ok(())
}

/// One layer of a llama with tied embeddings.
fn plan() -> Plan {
    let mut plan = Plan::default();
    let p = &mut plan;
    let embedding = p.weight("embedding", N_VOCAB, WIDTH);
    let [norm, ffn_norm, last_norm] = ["norm", "ffn_norm", "last_norm"].map(|name| p.weight(name, 1, WIDTH));
    let [wq, wk, wv, wo] = ["q", "k", "v", "o"].map(|name| p.weight(name, WIDTH, WIDTH));
    let [w_gate, w_up] = ["gate", "up"].map(|name| p.weight(name, N_FF, WIDTH));
    let w_down = p.weight("down", WIDTH, N_FF);
    let [x, h, q, k, v, attended] = ["x", "h", "q", "k", "v", "attended"].map(|name| p.buf(name, WIDTH));
    let [gate, up] = ["gate", "up"].map(|name| p.buf(name, N_FF));
    let [last, normed] = ["last", "normed"].map(|name| p.output_buf(name, WIDTH));
    let logits = p.output_buf("logits", N_VOCAB);
    let cache = p.cache(N_HEAD, HEAD_DIM);
    let rope = Rope {
        pairs: RopePairs::Halves,
        n_rot: HEAD_DIM,
        freq_base: 10_000.0,
        freq_scale: 1.0,
        ext_factor: 0.0,
        attn_factor: 1.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        n_ctx_orig: N_CTX,
    };
    let eps = 1e-5;
    plan.ops = vec![
        Op::Embed { weight: embedding, scale: 1.0, dst: x },
        Op::RmsNorm { x, weight: norm, eps, dst: h },
        Op::MatMul { x: h, weight: wq, bias: None, dst: q },
        Op::MatMul { x: h, weight: wk, bias: None, dst: k },
        Op::MatMul { x: h, weight: wv, bias: None, dst: v },
        Op::Rope { x: q, head_dim: HEAD_DIM, factors: None, rope },
        Op::Rope { x: k, head_dim: HEAD_DIM, factors: None, rope },
        Op::Store { k, v, cache },
        // Random weights are large; with a larger scale, attention would see one position only.
        Op::Attention { q, cache, n_head: N_HEAD, scale: 1e-3, window: None, dst: attended },
        Op::MatMul { x: attended, weight: wo, bias: None, dst: h },
        Op::Add { x: h, dst: x },
        Op::RmsNorm { x, weight: ffn_norm, eps, dst: h },
        Op::MatMul { x: h, weight: w_gate, bias: None, dst: gate },
        Op::MatMul { x: h, weight: w_up, bias: None, dst: up },
        Op::Glu { gate, up, activation: Activation::Silu },
        Op::MatMul { x: gate, weight: w_down, bias: None, dst: h },
        Op::Add { x: h, dst: x },
        Op::TakeOutputs { x, dst: last },
        Op::RmsNorm { x: last, weight: last_norm, eps, dst: normed },
        Op::MatMul { x: normed, weight: embedding, bias: None, dst: logits },
    ];
    plan.logits = Some(logits);
    plan
}
