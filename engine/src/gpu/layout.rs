//! How a matrix lies in the GPU's memory: planes of words, read by aligned loads, whatever the file's own blocks are.
//!
//! A row is cut into chunks of 32 columns (and padded to a whole number of them). A chunk's integers stand in one or two
//! planes: `low` has two, four or eight bits of each, `high` the rest; floats have only `low`. A third plane has the
//! scales. Each plane is a storage buffer, and `shaders/weights` and `shaders/scales` draw their bits.

use crate::dtype::DType;
use crate::quant::{self, Groups, place_in_codebook};
use half::f16;
use std::ops::Range;

/// Columns of a chunk.
pub const CHUNK: usize = 32;
/// Rows are packed by eights, so that no word of a plane belongs to two pieces of a file.
pub const ROWS_STEP: usize = 8;
/// Chunks that share a superblock's multiplier.
const SUPER: usize = 8;

/// What stands in `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Integers of 2 bits.
    Q2,
    /// Of 3: two low, one high.
    Q3,
    /// Of 4.
    Q4,
    /// Of 5: four low, one high.
    Q5,
    /// Of 6: four low, two high.
    Q6,
    /// Of 8, signed.
    Q8,
    /// Places in IQ4's table, of 4 bits.
    Places,
    /// Floats.
    F16,
    /// The upper halves of f32.
    BF16,
    /// Floats.
    F32,
}

/// What stands in `scales`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scales {
    /// Nothing: the weights are floats.
    None,
    /// An f16 for a chunk.
    Half,
    /// An f16 and an f16 offset for a chunk.
    HalfPair,
    /// An i8 for a chunk, and an f32 for eight. The file has an f16 there, often a subnormal one, which GPUs may take for 0.
    Super,
    /// Two i8 for a chunk, and an f32 for eight.
    Super16,
    /// Two u8, of scale and offset, for a chunk, and two f32 for eight.
    SuperPair,
    /// Two u8, each of a scale and an offset of 4 bits, for a chunk, and two f32 for eight.
    Super16Pair,
}

/// The layout of a type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Integers, or floats.
    pub plane: Plane,
    /// Scales.
    pub scales: Scales,
    /// The integer of a weight that is 0.
    pub zero: u8,
}

/// The layout that weights of this type have on a GPU.
pub fn layout(dtype: DType) -> Layout {
    let (plane, scales, zero) = match dtype {
        DType::F32 => (Plane::F32, Scales::None, 0),
        DType::F16 => (Plane::F16, Scales::None, 0),
        DType::BF16 => (Plane::BF16, Scales::None, 0),
        DType::Q4_0 => (Plane::Q4, Scales::Half, 8),
        DType::Q4_1 => (Plane::Q4, Scales::HalfPair, 0),
        DType::Q5_0 => (Plane::Q5, Scales::Half, 16),
        DType::Q5_1 => (Plane::Q5, Scales::HalfPair, 0),
        DType::Q8_0 => (Plane::Q8, Scales::Half, 0),
        DType::Q2_K => (Plane::Q2, Scales::Super16Pair, 0),
        DType::Q3_K => (Plane::Q3, Scales::Super16, 4),
        DType::Q4_K => (Plane::Q4, Scales::SuperPair, 0),
        DType::Q5_K => (Plane::Q5, Scales::SuperPair, 0),
        DType::Q6_K => (Plane::Q6, Scales::Super16, 32),
        DType::IQ4_NL => (Plane::Places, Scales::Half, 0),
        DType::IQ4_XS => (Plane::Places, Scales::Super, 0),
    };
    Layout { plane, scales, zero }
}

impl Layout {
    /// Bytes of each plane for so many chunks; none for a plane that is not there.
    pub fn plane_bytes(self, n_chunks: usize) -> [usize; 3] {
        [self.low_bytes() * n_chunks, self.high_bytes() * n_chunks, (self.scale_bytes() * n_chunks).div_ceil(SUPER)]
            .map(|bytes| bytes.next_multiple_of(4))
    }

    /// The longest plane of so many rows.
    pub fn longest_plane_bytes(self, rows: usize, cols: usize) -> u64 {
        rows as u64 * cols.div_ceil(CHUNK) as u64 * self.low_bytes() as u64
    }

    /// Of a chunk; more than of the other planes.
    fn low_bytes(self) -> usize {
        match self.plane {
            Plane::Q2 | Plane::Q3 => 8,
            Plane::Q4 | Plane::Q5 | Plane::Q6 | Plane::Places => 16,
            Plane::Q8 => 32,
            Plane::F16 | Plane::BF16 => 64,
            Plane::F32 => 128,
        }
    }

    /// Of a chunk.
    fn high_bytes(self) -> usize {
        match self.plane {
            Plane::Q3 | Plane::Q5 => 4,
            Plane::Q6 => 8,
            Plane::Q2 | Plane::Q4 | Plane::Q8 | Plane::Places | Plane::F16 | Plane::BF16 | Plane::F32 => 0,
        }
    }

    /// Of eight chunks.
    fn scale_bytes(self) -> usize {
        match self.scales {
            Scales::None => 0,
            Scales::Half => 16,
            Scales::HalfPair => 32,
            Scales::Super => 12,
            Scales::Super16 => 20,
            Scales::SuperPair | Scales::Super16Pair => 24,
        }
    }
}

/// Divides a matrix by rows, so that no plane is longer than a binding may be.
pub fn split(layout: Layout, rows: usize, cols: usize, bytes_max: usize) -> Vec<Range<usize>> {
    let steps_max = bytes_max as u64 / layout.longest_plane_bytes(ROWS_STEP, cols).max(1);
    let rows_max = usize::try_from(steps_max).unwrap_or(usize::MAX).clamp(1, rows.max(1)) * ROWS_STEP;
    (0..rows).step_by(rows_max).map(|start| start..rows.min(start + rows_max)).collect()
}

/// The planes of some rows.
#[derive(Debug, Default, PartialEq)]
pub struct Planes {
    /// Integers or their low bits, or floats.
    pub low: Vec<u8>,
    /// High bits.
    pub high: Vec<u8>,
    /// Scales.
    pub scales: Vec<u8>,
}

/// Packs whole rows of `cols` elements.
pub fn pack(dtype: DType, cols: usize, bytes: &[u8]) -> Planes {
    let mut planes = match layout(dtype).scales {
        Scales::None => Planes { low: pack_floats(dtype, cols, bytes), ..Planes::default() },
        Scales::Half | Scales::HalfPair | Scales::Super | Scales::Super16 | Scales::SuperPair | Scales::Super16Pair => {
            pack_integers(dtype, bytes)
        }
    };
    let padded = planes.scales.len().next_multiple_of(4);
    planes.scales.resize(padded, 0);
    planes
}

/// Floats stay as they are; rows are filled up with zeros.
fn pack_floats(dtype: DType, cols: usize, bytes: &[u8]) -> Vec<u8> {
    let row_bytes = cols * dtype.block_bytes();
    let padded_bytes = cols.next_multiple_of(CHUNK) * dtype.block_bytes();
    let mut low = Vec::with_capacity(bytes.len() / row_bytes * padded_bytes);
    for row in bytes.chunks_exact(row_bytes) {
        low.extend_from_slice(row);
        low.resize(low.len() + padded_bytes - row_bytes, 0);
    }
    low
}

fn pack_integers(dtype: DType, bytes: &[u8]) -> Planes {
    let Layout { plane, scales, .. } = layout(dtype);
    let mut groups = Groups::default();
    quant::unpack(dtype, bytes, &mut groups);
    let mut planes = Planes::default();
    for chunk in groups.q.as_chunks::<CHUNK>().0 {
        pack_chunk(plane, chunk, &mut planes);
    }
    match scales {
        Scales::None => {}
        Scales::Half => planes.scales.extend(groups.scale.iter().flat_map(|s| half(*s))),
        Scales::HalfPair => {
            let pairs = groups.scale.iter().zip(&groups.offset);
            planes.scales.extend(pairs.flat_map(|(s, o)| [half(*s), half(*o)]).flatten());
        }
        Scales::Super | Scales::Super16 | Scales::SuperPair | Scales::Super16Pair => {
            pack_supers(dtype, bytes, &groups, &mut planes.scales);
        }
    }
    planes
}

/// One chunk's integers, as words whose byte j belongs to column 4i + j.
fn pack_chunk(plane: Plane, q: &[u8; CHUNK], planes: &mut Planes) {
    let quads: [u32; 8] =
        std::array::from_fn(|i| u32::from_le_bytes([q[4 * i], q[4 * i + 1], q[4 * i + 2], q[4 * i + 3]]));
    let nibbles = |quads: &[u32; 8]| [0, 2, 4, 6].map(|i| (quads[i] & FOUR) | ((quads[i + 1] & FOUR) << 4));
    let twos = |quads: &[u32; 8], shift: u32| {
        [0, 4].map(|i| (0..4u32).fold(0, |word, k| word | ((quads[i + k as usize] >> shift) & TWO) << (2 * k)))
    };
    let ones = |shift: u32| (0..8u32).fold(0, |word, i| word | ((quads[i as usize] >> shift) & ONE) << i);
    let low = &mut planes.low;
    match plane {
        Plane::Q2 => put(low, &twos(&quads, 0)),
        Plane::Q3 => {
            put(low, &twos(&quads, 0));
            put(&mut planes.high, &[ones(2)]);
        }
        Plane::Q4 => put(low, &nibbles(&quads)),
        Plane::Q5 => {
            put(low, &nibbles(&quads));
            put(&mut planes.high, &[ones(4)]);
        }
        Plane::Q6 => {
            put(low, &nibbles(&quads));
            put(&mut planes.high, &twos(&quads, 4));
        }
        Plane::Q8 => put(low, &quads.map(|quad| quad ^ SIGNS)),
        Plane::Places => {
            let places = quads.map(|quad| u32::from_le_bytes(quad.to_le_bytes().map(place_in_codebook)));
            put(low, &nibbles(&places));
        }
        Plane::F16 | Plane::BF16 | Plane::F32 => unreachable!("floats have no integers"),
    }
}

/// The low bits of each byte.
const ONE: u32 = 0x0101_0101;
const TWO: u32 = 0x0303_0303;
const FOUR: u32 = 0x0F0F_0F0F;
/// Unpacked integers of 8 bits have 128 added.
const SIGNS: u32 = 0x8080_8080;

fn put(plane: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| plane.extend_from_slice(&word.to_le_bytes()));
}

fn half(x: f32) -> [u8; 2] {
    f16::from_f32(x).to_le_bytes()
}

/// A group's scale is the product of a small integer and the superblock's multiplier, which are put apart again here:
/// two bytes a group would be a tenth more to read than the file has.
fn pack_supers(dtype: DType, bytes: &[u8], groups: &Groups, plane: &mut Vec<u8>) {
    let scales = layout(dtype).scales;
    let n_groups = groups.scale.len() / (bytes.len() / dtype.block_bytes());
    let mut offsets = groups.offset.chunks_exact(n_groups);
    for (block, scale) in bytes.chunks_exact(dtype.block_bytes()).zip(groups.scale.chunks_exact(n_groups)) {
        let (d, dmin) = multipliers(dtype, block);
        let offset = offsets.next().unwrap_or_default();
        plane.extend_from_slice(&d.to_le_bytes());
        match scales {
            Scales::Super | Scales::Super16 => plane.extend(scale.iter().map(|s| factor(*s, d).to_le_bytes()[0])),
            Scales::SuperPair => {
                plane.extend_from_slice(&dmin.to_le_bytes());
                let pairs = scale.iter().zip(offset);
                plane.extend(
                    pairs.flat_map(|(s, o)| [factor(*s, d).to_le_bytes()[0], factor(-o, dmin).to_le_bytes()[0]]),
                );
            }
            Scales::Super16Pair => {
                plane.extend_from_slice(&dmin.to_le_bytes());
                let pairs = scale.iter().zip(offset);
                plane.extend(pairs.map(|(s, o)| (factor(*s, d) | factor(-o, dmin) << 4).to_le_bytes()[0]));
            }
            Scales::None | Scales::Half | Scales::HalfPair => unreachable!("there are no superblocks"),
        }
    }
}

/// What the factors of a superblock are multiplied with: f16 of the block, at fixed places.
fn multipliers(dtype: DType, block: &[u8]) -> (f32, f32) {
    let at = |i: usize| f16::from_le_bytes([block[i], block[i + 1]]).to_f32();
    match dtype {
        DType::Q2_K => (at(80), at(82)),
        DType::Q3_K => (at(108), 0.0),
        DType::Q4_K | DType::Q5_K => (at(0), at(2)),
        DType::Q6_K => (at(208), 0.0),
        DType::IQ4_XS => (at(0), 0.0),
        DType::F32
        | DType::F16
        | DType::BF16
        | DType::Q4_0
        | DType::Q4_1
        | DType::Q5_0
        | DType::Q5_1
        | DType::Q8_0
        | DType::IQ4_NL => unreachable!("{dtype} has no superblocks"),
    }
}

/// product / multiplier, a small integer: both are exact in f32.
#[expect(clippy::cast_possible_truncation, reason = "factors have at most eight bits")]
fn factor(product: f32, multiplier: f32) -> i32 {
    if multiplier == 0.0 { 0 } else { (product / multiplier).round() as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a weight takes on the GPU, beside what it takes in the file.
    #[test]
    fn packed_is_hardly_larger_than_the_file() {
        for dtype in DType::ALL {
            let n_chunks = 64;
            let packed: usize = layout(*dtype).plane_bytes(n_chunks).iter().sum();
            let file = n_chunks * CHUNK / dtype.block_len() * dtype.block_bytes();
            let share = packed as f64 / file as f64;
            let most = if *dtype == DType::Q2_K { 1.05 } else { 1.06 };
            assert!(share <= most, "{dtype}: {packed} bytes for {file} of the file");
        }
    }

    #[test]
    fn planes_are_as_long_as_they_say() {
        for dtype in DType::ALL {
            for n_rows in [1, 3] {
                let n_blocks = n_rows * 256 / dtype.block_len();
                let planes = pack(*dtype, 256, &quant::random_blocks(*dtype, n_blocks, 1));
                let lens = [&planes.low, &planes.high, &planes.scales].map(Vec::len);
                assert_eq!(lens, layout(*dtype).plane_bytes(n_rows * 8), "{dtype}");
            }
        }
    }

    #[test]
    fn floats_are_padded() {
        let planes = pack(DType::F32, 3, &[7; 24]);
        assert_eq!(planes.low.len(), 2 * CHUNK * 4);
        assert_eq!(planes.low[..12], [7; 12]);
        assert_eq!(planes.low[12..128], [0; 116]);
    }
}
