//! How a matrix lies in the GPU's memory: planes of words, read by aligned loads, whatever the file's own blocks are.
//!
//! A row is cut into chunks of 32 columns (and padded to a whole number of them). A chunk's integers stand in one or two
//! planes: `low` has two, four or eight bits of each, `high` the rest; floats have only `low`. A third plane has the
//! scales. Each plane is a storage buffer, and `shaders/weights` and `shaders/scales` draw their bits.

use crate::quant::{BlockScales, Codec, Format, Groups, Quantized, Scale, Table16, Values};
use half::f16;
use std::iter::repeat_n;
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
    /// Of 4 that choose from a table.
    Codebook4(&'static Table16),
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
    /// The exponent of a power of two, a byte, for a chunk.
    Exponent,
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
    pub zero: i16,
}

/// The layout that weights of this format have on a GPU.
pub fn layout(format: Format) -> Layout {
    let floats = |plane| Layout { plane, scales: Scales::None, zero: 0 };
    match format {
        Format::F32 => floats(Plane::F32),
        Format::F16 => floats(Plane::F16),
        Format::BF16 => floats(Plane::BF16),
        Format::Quantized(format) => {
            let (plane, zero) = plane(format.values);
            Layout { plane, scales: scales(format), zero }
        }
    }
}

/// The plane that holds integers, and the one of them that stands for 0.
fn plane(values: Values) -> (Plane, i16) {
    match values {
        Values::Linear { bits: ..=2, zero } => (Plane::Q2, zero.into()),
        Values::Linear { bits: 3, zero } => (Plane::Q3, zero.into()),
        Values::Linear { bits: 4, zero } => (Plane::Q4, zero.into()),
        Values::Linear { bits: 5, zero } => (Plane::Q5, zero.into()),
        Values::Linear { bits: 6, zero } => (Plane::Q6, zero.into()),
        Values::Linear { bits: 7.., zero } => (Plane::Q8, i16::from(zero) - 128),
        Values::Table16(table) => (Plane::Codebook4(table), 0),
    }
}

fn scales(Quantized { group_len, scale, has_offset, .. }: Quantized) -> Scales {
    match (scale, group_len, has_offset) {
        (Scale::F16, 32.., false) => Scales::Half,
        (Scale::F16, 32.., true) => Scales::HalfPair,
        (Scale::E8M0, 32.., false) => Scales::Exponent,
        (Scale::Super { .. }, 32.., false) => Scales::Super,
        (Scale::Super { .. }, 16, false) => Scales::Super16,
        (Scale::Super { .. }, 32.., true) => Scales::SuperPair,
        (Scale::Super { factor_max: ..=15 }, 16, true) => Scales::Super16Pair,
        (Scale::F16 | Scale::E8M0 | Scale::Super { .. }, _, _) => unreachable!("no plane for {scale:?} of {group_len}"),
    }
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
            Plane::Q4 | Plane::Q5 | Plane::Q6 | Plane::Codebook4(_) => 16,
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
            Plane::Q2 | Plane::Q4 | Plane::Q8 | Plane::Codebook4(_) | Plane::F16 | Plane::BF16 | Plane::F32 => 0,
        }
    }

    /// Of eight chunks.
    fn scale_bytes(self) -> usize {
        match self.scales {
            Scales::None => 0,
            Scales::Exponent => 8,
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

/// Packs whole rows of `cols` weights.
pub fn pack(codec: Codec, cols: usize, bytes: &[u8]) -> Planes {
    let mut planes = match codec.format() {
        Format::F32 | Format::F16 | Format::BF16 => {
            Planes { low: pack_floats(codec, cols, bytes), ..Planes::default() }
        }
        Format::Quantized(format) => pack_integers(codec, format, bytes),
    };
    let padded = planes.scales.len().next_multiple_of(4);
    planes.scales.resize(padded, 0);
    planes
}

/// Floats stay as they are; rows are filled up with zeros.
fn pack_floats(codec: Codec, cols: usize, bytes: &[u8]) -> Vec<u8> {
    let row_bytes = cols * codec.block_bytes();
    let padded_bytes = cols.next_multiple_of(CHUNK) * codec.block_bytes();
    let mut low = Vec::with_capacity(bytes.len() / row_bytes * padded_bytes);
    for row in bytes.chunks_exact(row_bytes) {
        low.extend_from_slice(row);
        low.resize(low.len() + padded_bytes - row_bytes, 0);
    }
    low
}

fn pack_integers(codec: Codec, format: Quantized, bytes: &[u8]) -> Planes {
    let Layout { plane, scales, .. } = layout(Format::Quantized(format));
    let mut groups = Groups::default();
    codec.unpack(bytes, &mut groups);
    let mut planes = Planes::default();
    for chunk in groups.q.as_chunks::<CHUNK>().0 {
        pack_chunk(plane, chunk, &mut planes);
    }
    let n_groups = codec.block_len() / format.group_len;
    pack_scales(scales, &groups, format.group_len.div_ceil(CHUNK), n_groups, &mut planes.scales);
    planes
}

/// The scales of groups that are so many chunks long, and so many to a block.
fn pack_scales(scales: Scales, groups: &Groups, n_chunks: usize, n_groups: usize, plane: &mut Vec<u8>) {
    let pairs = || groups.scale.iter().zip(&groups.offset);
    match scales {
        Scales::None => {}
        Scales::Exponent => plane.extend(groups.scale.iter().flat_map(|s| repeat_n(exponent(*s), n_chunks))),
        Scales::Half => plane.extend(groups.scale.iter().flat_map(|s| repeat_n(half(*s), n_chunks)).flatten()),
        Scales::HalfPair => {
            plane.extend(pairs().flat_map(|(s, o)| repeat_n([half(*s), half(*o)], n_chunks)).flatten().flatten());
        }
        Scales::Super | Scales::Super16 | Scales::SuperPair | Scales::Super16Pair => {
            groups.supers.iter().for_each(|block| pack_super(scales, block, n_groups, plane));
        }
    }
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
        Plane::Q4 | Plane::Codebook4(_) => put(low, &nibbles(&quads)),
        Plane::Q5 => {
            put(low, &nibbles(&quads));
            put(&mut planes.high, &[ones(4)]);
        }
        Plane::Q6 => {
            put(low, &nibbles(&quads));
            put(&mut planes.high, &twos(&quads, 4));
        }
        Plane::Q8 => put(low, &quads.map(|quad| quad ^ SIGNS)),
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

/// The byte e of the scale 2ᵉ⁻¹²⁸; 1 of the two least ones, which are subnormal, and 0 on a GPU.
fn exponent(scale: f32) -> u8 {
    ((scale.to_bits() >> 23) + 1).to_le_bytes()[0]
}

/// A superblock's multipliers, and its groups' factors: two bytes a group would be a tenth more to read than the file has.
fn pack_super(scales: Scales, block: &BlockScales, n_groups: usize, plane: &mut Vec<u8>) {
    let (s, m) = (&block.s[..n_groups], &block.m[..n_groups]);
    let byte = |factor: &i8| factor.cast_unsigned();
    plane.extend_from_slice(&block.d.to_le_bytes());
    match scales {
        Scales::Super | Scales::Super16 => plane.extend(s.iter().map(byte)),
        Scales::SuperPair => {
            plane.extend_from_slice(&block.dmin.to_le_bytes());
            plane.extend(s.iter().zip(m).flat_map(|(s, m)| [byte(s), byte(m)]));
        }
        Scales::Super16Pair => {
            plane.extend_from_slice(&block.dmin.to_le_bytes());
            plane.extend(s.iter().zip(m).map(|(s, m)| byte(s) | byte(m) << 4));
        }
        Scales::None | Scales::Exponent | Scales::Half | Scales::HalfPair => unreachable!("there are no superblocks"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::random_blocks;

    /// What a weight takes on the GPU, beside what it takes in the file; where a table's 4 bits are more than the file has, no
    /// more than 4½ bits.
    #[test]
    fn packed_is_hardly_larger_than_the_file() {
        for codec in Codec::ALL {
            let n_chunks = 64;
            let packed: usize = layout(codec.format()).plane_bytes(n_chunks).iter().sum();
            let file = n_chunks * CHUNK / codec.block_len() * codec.block_bytes();
            let share = packed as f64 / file as f64;
            let most = if *codec == Codec::Q2_K { 1.05 } else { 1.06 };
            let table = match codec.format() {
                Format::Quantized(Quantized { values: Values::Table16(_), .. }) => n_chunks * CHUNK * 9 / 16,
                Format::F32 | Format::F16 | Format::BF16 | Format::Quantized(_) => 0,
            };
            assert!(share <= most || packed <= table, "{codec}: {packed} bytes for {file} of the file");
        }
    }

    #[test]
    fn planes_are_as_long_as_they_say() {
        for codec in Codec::ALL {
            for n_rows in [1, 3] {
                let n_blocks = n_rows * 256 / codec.block_len();
                let planes = pack(*codec, 256, &random_blocks(*codec, n_blocks, 1));
                let lens = [&planes.low, &planes.high, &planes.scales].map(Vec::len);
                assert_eq!(lens, layout(codec.format()).plane_bytes(n_rows * 8), "{codec}");
            }
        }
    }

    #[test]
    fn floats_are_padded() {
        let planes = pack(Codec::F32, 3, &[7; 24]);
        assert_eq!(planes.low.len(), 2 * CHUNK * 4);
        assert_eq!(planes.low[..12], [7; 12]);
        assert_eq!(planes.low[12..128], [0; 116]);
    }
}
