//! Blocks for tests and benchmarks.

use crate::dtype::DType;
use crate::rng::Rng;
use half::{bf16, f16};

/// Random blocks of any type: every bit pattern of integers and inner scales, and scales such that most weights are within ±1.
pub fn random_blocks(dtype: DType, n_blocks: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut blocks = vec![0; n_blocks * dtype.block_bytes()];
    rng.fill(&mut blocks);
    for block in blocks.chunks_exact_mut(dtype.block_bytes()) {
        set_floats(dtype, block, &mut rng);
    }
    blocks
}

fn set_floats(dtype: DType, block: &mut [u8], rng: &mut Rng) {
    match dtype {
        DType::F32 => set(block, 0, random(rng, 1.0).to_le_bytes()),
        DType::F16 => set(block, 0, f16::from_f32(random(rng, 1.0)).to_le_bytes()),
        DType::BF16 => set(block, 0, bf16::from_f32(random(rng, 1.0)).to_le_bytes()),
        DType::Q4_0 => set_halves(block, &[0], 1.0 / 8.0, rng),
        DType::Q4_1 => set_halves(block, &[0, 2], 1.0 / 16.0, rng),
        DType::Q5_0 => set_halves(block, &[0], 1.0 / 16.0, rng),
        DType::Q5_1 => set_halves(block, &[0, 2], 1.0 / 32.0, rng),
        DType::Q8_0 | DType::IQ4_NL => set_halves(block, &[0], 1.0 / 128.0, rng),
        DType::Q2_K => set_halves(block, &[80, 82], 1.0 / 64.0, rng),
        DType::Q3_K => set_halves(block, &[108], 1.0 / 128.0, rng),
        DType::Q4_K => set_halves(block, &[0, 2], 1.0 / 1024.0, rng),
        DType::Q5_K => set_halves(block, &[0, 2], 1.0 / 2048.0, rng),
        DType::Q6_K => set_halves(block, &[208], 1.0 / 4096.0, rng),
        DType::IQ4_XS => set_halves(block, &[0], 1.0 / 4096.0, rng),
    }
}

/// Puts random scales below `max` where the block has its f16s.
fn set_halves(block: &mut [u8], at: &[usize], max: f32, rng: &mut Rng) {
    for at in at {
        set(block, *at, f16::from_f32(random(rng, max)).to_le_bytes());
    }
}

fn set<const BYTES: usize>(block: &mut [u8], at: usize, value: [u8; BYTES]) {
    block[at..at + BYTES].copy_from_slice(&value);
}

/// Within ±`max`.
fn random(rng: &mut Rng, max: f32) -> f32 {
    let unit = (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    (2.0 * unit - 1.0) * max
}
