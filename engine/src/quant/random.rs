//! Blocks for tests and benchmarks.

use super::{Codec, Format, Quantized, Scale};
use crate::rng::Rng;
use half::{bf16, f16};

/// Random blocks of any type: every bit pattern of integers and inner scales, and scales such that most weights are within ±1.
pub fn random_blocks(codec: impl Into<Codec>, n_blocks: usize, seed: u64) -> Vec<u8> {
    let codec = codec.into();
    let mut rng = Rng::new(seed);
    let mut blocks = vec![0; n_blocks * codec.block_bytes()];
    rng.fill(&mut blocks);
    for block in blocks.chunks_exact_mut(codec.block_bytes()) {
        set_floats(codec, block, &mut rng);
    }
    blocks
}

fn set_floats(codec: Codec, block: &mut [u8], rng: &mut Rng) {
    match codec.format() {
        Format::F32 => set(block, 0, random(rng, 1.0).to_le_bytes()),
        Format::F16 => set(block, 0, f16::from_f32(random(rng, 1.0)).to_le_bytes()),
        Format::BF16 => set(block, 0, bf16::from_f32(random(rng, 1.0)).to_le_bytes()),
        Format::Quantized(format) => {
            let largest = largest(format).next_power_of_two();
            for at in codec.multipliers() {
                match format.scale {
                    Scale::F16 | Scale::Super { .. } => {
                        set(block, *at, f16::from_f32(random(rng, 1.0 / largest as f32)).to_le_bytes());
                    }
                    // 2⁻¹²⁸ · 2ᵉ; down to an eighth of the most.
                    Scale::E8M0 => {
                        block[*at] = 128 - largest.ilog2().to_le_bytes()[0] - [0, 1, 2, 3][rng.below(4)];
                    }
                }
            }
        }
    }
}

/// The largest magnitude of a value times a factor.
fn largest(format: Quantized) -> u32 {
    let values = format.values.integers().map(|q| format.values.value(q).unsigned_abs());
    let factor = match format.scale {
        Scale::F16 | Scale::E8M0 => 1,
        Scale::Super { factor_max } => factor_max.into(),
    };
    u32::from(values.max().unwrap_or(1)) * factor
}

fn set<const BYTES: usize>(block: &mut [u8], at: usize, value: [u8; BYTES]) {
    block[at..at + BYTES].copy_from_slice(&value);
}

/// Within ±`max`.
fn random(rng: &mut Rng, max: f32) -> f32 {
    let unit = (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    (2.0 * unit - 1.0) * max
}
