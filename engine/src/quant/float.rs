//! Weights that are floats already.

use super::Format;
use super::codec::Methods;
use half::{bf16, f16};

pub(super) const F32: Methods = methods(Format::F32, |bytes, dst| convert(bytes, dst, f32::from_le_bytes));

pub(super) const F16: Methods =
    methods(Format::F16, |bytes, dst| convert(bytes, dst, |w| f16::from_le_bytes(w).to_f32()));

pub(super) const BF16: Methods =
    methods(Format::BF16, |bytes, dst| convert(bytes, dst, |w| bf16::from_le_bytes(w).to_f32()));

const fn methods(format: Format, dequantize: fn(&[u8], &mut [f32])) -> Methods {
    Methods { format, multipliers: &[], dequantize, unpack: None }
}

fn convert<const BYTES: usize>(bytes: &[u8], dst: &mut [f32], from: impl Fn([u8; BYTES]) -> f32) {
    for (w, dst) in bytes.as_chunks().0.iter().zip(dst) {
        *dst = from(*w);
    }
}
