//! The buffers that a model has on a device, as data: which there are, how long they are, how a kernel uses one.

use super::fuse::{Angles, Fused};
use super::layout::{CHUNK, layout};
use super::tier::Tier;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::op::Attention;
use crate::plan::{Kv, Mem, Memory, Op, Plan, Rows, Weight};
use std::ops::Range;

/// Tokens of a batch; longer ones are divided.
pub const TOKENS_MAX: usize = 256;
/// Words of the batch's state before its tokens: `shaders/common/state.wgsl`.
const STATE_WORDS: usize = 4;
/// Bytes of `shaders/sample/settings.wgsl`.
const SETTINGS_BYTES: usize = 64;
/// Words before the ring of recent tokens: `shaders/sample/advance.wgsl`.
pub const SAMPLED_WORDS: usize = 3;
/// Random numbers that are sent at once, for as many steps.
pub const RANDOM_LEN: usize = 64;

/// Rows and tokens of a matmul's tile.
pub const TILE: usize = 32;
/// Positions whose keys lie beside each other; also in `shaders/common/cache.wgsl` and `shaders/attention.wgsl`.
pub const KEYS_BLOCK: usize = 32;
/// Attention to one token is split into so many parts at most.
pub const PARTS_MAX: usize = 64;
/// Candidates that a draw from few can choose from; also in `shaders/sample/settings.wgsl`.
pub const CANDIDATES: usize = 64;
/// Tokens that penalties can look at: as many as a workgroup has invocations.
pub const RECENT: usize = 256;
/// Logits of a slice; also in `shaders/sample/settings.wgsl`.
const SLICE: usize = 4096;

/// A buffer of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferId {
    /// What changes from batch to batch (`shaders/common/state.wgsl`), followed by the tokens.
    BatchState,
    /// Activations, by their index in [`Fused::bufs`].
    Activations(usize),
    /// Integers of a part of a matrix, or their low bits, or floats.
    Low(Part),
    /// High bits of a part's integers.
    High(Part),
    /// Scales of a part.
    Scales(Part),
    /// A weight's f32, `[rows, cols]`.
    Dense(Weight),
    /// Cosines and sines of a kind of rotation, by its index in [`Fused::angles`].
    Angles(usize),
    /// Keys of a KV cache.
    Keys(Mem),
    /// Values of a KV cache.
    Values(Mem),
    /// A recurrent state.
    State(Mem),
    /// Activations as bytes.
    Quantized,
    /// Scales of the activations as bytes.
    QuantizedScales,
    /// Attention's results for parts of the positions.
    AttentionPartials,
    /// How tokens are sampled: `shaders/sample/settings.wgsl`.
    Settings,
    /// What was sampled: `shaders/sample/advance.wgsl`.
    Sampled,
    /// The most likely tokens.
    Candidates,
    /// Random numbers of the next steps.
    Random,
}

/// Some rows of a matrix, in buffers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// An index into [`Fused::matrices`].
    pub matrix: usize,
    /// An index into the matrix's parts.
    pub part: usize,
}

/// A buffer, and how a kernel uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Which.
    pub buffer: BufferId,
    /// How.
    pub access: Access,
}

/// How a kernel uses a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads it.
    Read,
    /// It writes it, and may read it.
    ReadWrite,
}

impl BufferId {
    /// The memory that the buffer is part of.
    pub fn memory(self) -> Option<Mem> {
        match self {
            Self::Keys(mem) | Self::Values(mem) | Self::State(mem) => Some(mem),
            Self::BatchState
            | Self::Activations(_)
            | Self::Low(_)
            | Self::High(_)
            | Self::Scales(_)
            | Self::Dense(_)
            | Self::Angles(_)
            | Self::Quantized
            | Self::QuantizedScales
            | Self::AttentionPartials
            | Self::Settings
            | Self::Sampled
            | Self::Candidates
            | Self::Random => None,
        }
    }

    /// The buffer, read.
    pub fn read(self) -> Binding {
        Binding { buffer: self, access: Access::Read }
    }

    /// The buffer, written, and maybe read.
    pub fn write(self) -> Binding {
        Binding { buffer: self, access: Access::ReadWrite }
    }
}

/// What buffers have room for, where that grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Positions that a context has at most.
    pub n_ctx: usize,
    /// Positions of the KV caches.
    pub capacity: usize,
    /// Rows whose logits are wanted.
    pub n_outputs: usize,
}

/// Every buffer of a plan whose matrices are in these parts, and its bytes.
pub fn buffers(
    plan: &Plan,
    fused: &Fused,
    parts: &[Vec<Range<usize>>],
    tier: Tier,
    room: &Room,
) -> Vec<(BufferId, u64)> {
    let mut buffers = vec![
        (BufferId::BatchState, bytes(&[STATE_WORDS + TOKENS_MAX, 4])),
        (BufferId::AttentionPartials, bytes(&[partials_len(plan), 4])),
    ];
    buffers.extend(activations(plan, fused, room.n_outputs));
    buffers.extend(matrices(fused, parts));
    let dense = plan.matrices().into_iter().zip(&plan.weights).enumerate().filter(|(_, (is_matrix, _))| !is_matrix);
    buffers.extend(dense.map(|(i, (_, info))| {
        let len = info.rows.saturating_mul(info.cols).next_multiple_of(CHUNK);
        (BufferId::Dense(Weight(i)), bytes(&[len, 4]))
    }));
    buffers.extend(
        fused
            .angles
            .iter()
            .enumerate()
            .map(|(i, kind)| (BufferId::Angles(i), bytes(&[room.capacity]).saturating_mul(angles_bytes(kind)))),
    );
    buffers.extend(memories(plan, room));
    buffers.extend(quantized(fused, tier));
    buffers.extend(sampling(plan));
    buffers
}

/// Eights of a head, the last one filled up.
pub fn eights(head_dim: usize) -> usize {
    head_dim.div_ceil(8)
}

/// Slices of a vocabulary.
pub fn slices(n_vocab: usize) -> usize {
    n_vocab.div_ceil(SLICE)
}

/// f32 that attention to one token needs room for, at most.
fn partials_len(plan: &Plan) -> usize {
    let heads = plan.ops.iter().filter_map(|op| {
        let Op::Attention(Attention { cache, n_head, .. }) = *op else { return None };
        Some((n_head, plan.kv(cache).k_dim))
    });
    heads.map(|(n_head, head_dim)| n_head * PARTS_MAX * (eights(head_dim) * 8 + 2)).max().unwrap_or(1)
}

/// Slots of the ring that a window needs in a context of `n_ctx`; none where all positions are kept.
pub fn ring_len(kv: &Kv, n_ctx: usize) -> Option<usize> {
    kv.ring_len(n_ctx, TOKENS_MAX, KEYS_BLOCK)
}

/// The product of some sizes, which may be anything that a file says.
fn bytes(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |product: u64, size| product.saturating_mul(*size as u64))
}

fn activations(plan: &Plan, fused: &Fused, n_outputs: usize) -> impl Iterator<Item = (BufferId, u64)> {
    let logits = plan.logits.map(|logits| fused.slots[logits.0].buf);
    fused.bufs.iter().enumerate().map(move |(i, buf)| {
        let rows = match buf.rows {
            Rows::Tokens => TOKENS_MAX,
            // Matmuls read whole tiles. The logits are no matmul's input, and very wide.
            Rows::Outputs if Some(i) == logits => n_outputs,
            Rows::Outputs => n_outputs.next_multiple_of(TILE),
        };
        (BufferId::Activations(i), bytes(&[buf.stride, rows, 4]))
    })
}

/// Low bits, high bits and scales of every part; a plane that the layout lacks is not there.
fn matrices(fused: &Fused, parts: &[Vec<Range<usize>>]) -> Vec<(BufferId, u64)> {
    let mut buffers = Vec::new();
    for (matrix, (info, parts)) in fused.matrices.iter().zip(parts).enumerate() {
        for (part, rows) in parts.iter().enumerate() {
            let (part, layout) = (Part { matrix, part }, layout(info.codec.format()));
            let [_, high, scales] = layout.plane_bytes(rows.len() * info.cols.div_ceil(CHUNK));
            // The longest of the three, and the one that cannot wrap around.
            buffers.push((BufferId::Low(part), layout.longest_plane_bytes(rows.len(), info.cols)));
            let others = [(BufferId::High(part), high as u64), (BufferId::Scales(part), scales as u64)];
            buffers.extend(others.into_iter().filter(|(_, bytes)| *bytes > 0));
        }
    }
    buffers
}

fn memories(plan: &Plan, room: &Room) -> Vec<(BufferId, u64)> {
    let mut buffers = Vec::new();
    for (i, memory) in plan.memories.iter().enumerate() {
        match memory {
            Memory::Kv(kv) => {
                let n_slots = ring_len(kv, room.n_ctx).map_or(room.capacity, |len| len.min(room.capacity));
                let bytes = |dim| bytes(&[n_slots, kv.n_head_kv, eights(dim), 16]);
                buffers
                    .extend([(BufferId::Keys(Mem(i)), bytes(kv.k_dim)), (BufferId::Values(Mem(i)), bytes(kv.v_dim))]);
            }
            Memory::State { len } => buffers.push((BufferId::State(Mem(i)), bytes(&[*len, 4]))),
        }
    }
    buffers
}

/// A batch of the widest input of a matmul as bytes (`shaders/quantize.wgsl`), where there is use for it.
fn quantized(fused: &Fused, tier: Tier) -> [(BufferId, u64); 2] {
    let widest = fused.matrices.iter().map(|matrix| matrix.cols.div_ceil(CHUNK)).max().unwrap_or(0);
    let chunks = if tier.dots { widest } else { 0 };
    [
        (BufferId::Quantized, bytes(&[chunks, TOKENS_MAX, CHUNK * 2])),
        (BufferId::QuantizedScales, bytes(&[chunks, TOKENS_MAX, 16])),
    ]
}

fn sampling(plan: &Plan) -> [(BufferId, u64); 4] {
    let n_vocab = plan.logits.map_or(0, |logits| plan.width(logits));
    [
        (BufferId::Settings, SETTINGS_BYTES as u64),
        (BufferId::Sampled, bytes(&[SAMPLED_WORDS + RECENT, 4])),
        (BufferId::Candidates, bytes(&[slices(n_vocab), CANDIDATES, 8])),
        (BufferId::Random, bytes(&[RANDOM_LEN, 4])),
    ]
}

/// Errs if a buffer would be longer than the device lets a kernel see: widths may be anything that a file says.
///
/// # Errors
/// `Unsupported`.
pub fn check_sizes(buffers: &[(BufferId, u64)], bytes_max: u64) -> Result<()> {
    match buffers.iter().map(|(_, bytes)| *bytes).max() {
        Some(bytes) if bytes > bytes_max => {
            let message =
                format!("The model is too wide for the GPU: {bytes} bytes in one piece, of at most {bytes_max}.");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tokens for which the longest buffer has room, if it has so many bytes.
pub fn n_ctx_max(position_bytes: u64, bytes_max: u64) -> usize {
    usize::try_from(bytes_max / position_bytes).unwrap_or(usize::MAX) / KEYS_BLOCK * KEYS_BLOCK
}

/// What a position takes of the buffer that takes most for it: of keys, or values, of a layer, or of angles.
pub fn position_bytes(plan: &Plan, angles: &[Angles]) -> u64 {
    let caches = plan.kv_caches().map(|kv| bytes(&[kv.n_head_kv, eights(kv.k_dim.max(kv.v_dim)), 16]));
    caches.chain(angles.iter().map(angles_bytes)).max().unwrap_or(0).max(1)
}

/// Bytes of a position's cosines and sines.
fn angles_bytes(kind: &Angles) -> u64 {
    (kind.rope.n_rot / 2 * 8) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_fits_one_binding() {
        let mut plan = Plan::default();
        let n_ctx_max = |plan: &Plan, bytes_max| n_ctx_max(position_bytes(plan, &[]), bytes_max);
        plan.kv_cache(8, 128, None);
        assert_eq!(n_ctx_max(&plan, 128 << 20), 65536);
        plan.kv_cache(8, 257, None);
        assert_eq!(n_ctx_max(&plan, 128 << 20), 31744);
        assert_eq!(n_ctx_max(&plan, 100), 0);
    }
}
