//! Weights that are floats already.

use half::{bf16, f16};

pub(super) fn f32(bytes: &[u8], dst: &mut [f32]) {
    convert(bytes, dst, f32::from_le_bytes);
}

pub(super) fn f16(bytes: &[u8], dst: &mut [f32]) {
    convert(bytes, dst, |w| f16::from_le_bytes(w).to_f32());
}

pub(super) fn bf16(bytes: &[u8], dst: &mut [f32]) {
    convert(bytes, dst, |w| bf16::from_le_bytes(w).to_f32());
}

fn convert<const BYTES: usize>(bytes: &[u8], dst: &mut [f32], from: impl Fn([u8; BYTES]) -> f32) {
    for (w, dst) in bytes.as_chunks().0.iter().zip(dst) {
        *dst = from(*w);
    }
}
