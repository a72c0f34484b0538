//! Everything that a model has on the device: weights, activations, keys and values.

use super::device::Device;
use super::fuse::{Angles, Fused};
use super::kernels::{
    CANDIDATES, KEYS_BLOCK, Part, RECENT, Resource, Size, TILE, TOKENS_MAX, eights, found_len, narrow, ring_len, slices,
};
use super::layout::{self, CHUNK, Layout, ROWS_STEP};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Mem, Memory as Remembered, Plan, Rows, Weight};
use crate::quant::Codec;
use crate::reference::cos_sin;
use std::ops::Range;

/// Words of the state before the tokens.
const STATE_WORDS: usize = 4;
/// Bytes of `shaders/sample/settings.wgsl`.
const SETTINGS_BYTES: usize = 64;
/// What stands before the ring of recent tokens.
pub(super) const DRAWN_WORDS: usize = 3;
/// Random numbers that are sent at once, for as many steps.
pub(super) const CHANCES: usize = 64;
/// Rows that are packed at a time are about so many bytes of the file.
const PACK_BYTES: usize = 1 << 20;
/// The cache grows by so many positions.
const PAGE: usize = 512;

/// The buffers of one part of a matrix; a plane that the layout lacks is empty.
#[derive(Debug)]
struct Planes {
    low: wgpu::Buffer,
    high: Option<wgpu::Buffer>,
    scales: Option<wgpu::Buffer>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) state: wgpu::Buffer,
    pub(super) bufs: Vec<wgpu::Buffer>,
    /// Rows of each part of each matrix.
    pub(super) parts: Vec<Vec<Range<usize>>>,
    matrices: Vec<Vec<Planes>>,
    vectors: Vec<Option<wgpu::Buffer>>,
    factors: Vec<Vec<f32>>,
    angles: Vec<wgpu::Buffer>,
    /// By [`Mem`]: keys and values, from when there is room for them; or a state.
    remembered: Vec<Vec<wgpu::Buffer>>,
    /// Activations as bytes, and their scales.
    quantized: [wgpu::Buffer; 2],
    found: wgpu::Buffer,
    candidates: wgpu::Buffer,
    pub(super) settings: wgpu::Buffer,
    pub(super) drawn: wgpu::Buffer,
    pub(super) chances: wgpu::Buffer,
    /// Positions that the cache has room for.
    pub(super) capacity: usize,
    /// Positions that it had room for before it grew.
    pub(super) capacity_before: usize,
    /// Rows that buffers of outputs have room for.
    n_outputs: usize,
}

impl Memory {
    /// Room for everything but positions and outputs, which come by [`Self::grow`].
    pub(super) fn new(device: &Device, plan: &Plan, fused: &Fused) -> Self {
        let parts: Vec<Vec<Range<usize>>> = fused
            .matrices
            .iter()
            .map(|m| layout::split(layout::layout(m.codec.format()), m.rows, m.cols, device.piece_bytes_max()))
            .collect();
        let matrices = fused.matrices.iter().zip(&parts);
        let matrices = matrices.map(|(matrix, parts)| {
            let planes =
                |rows: &Range<usize>| planes(device, layout::layout(matrix.codec.format()), rows.len(), matrix.cols);
            parts.iter().map(planes).collect()
        });
        let is_matrix = plan.matrices();
        let vectors = plan.weights.iter().zip(&is_matrix).map(|(info, is_matrix)| {
            (!is_matrix).then(|| buffer(device, "vector", info.cols.next_multiple_of(CHUNK) * 4))
        });
        let bufs = fused.bufs.iter().map(|buf| match buf.rows {
            Rows::Tokens => buffer(device, "activations", buf.stride * TOKENS_MAX * 4),
            Rows::Outputs => buffer(device, "outputs", 4),
        });
        let n_vocab = plan.logits.map_or(0, |logits| plan.width(logits));
        Self {
            state: buffer(device, "state", (STATE_WORDS + TOKENS_MAX) * 4),
            candidates: buffer(device, "candidates", slices(n_vocab) * CANDIDATES * 8),
            settings: buffer(device, "settings", SETTINGS_BYTES),
            drawn: buffer(device, "drawn", (DRAWN_WORDS + RECENT) * 4),
            chances: buffer(device, "chances", CHANCES * 4),
            bufs: bufs.collect(),
            matrices: matrices.collect(),
            vectors: vectors.collect(),
            factors: vec![Vec::new(); plan.weights.len()],
            angles: Vec::new(),
            remembered: plan.memories.iter().map(|memory| state(device, memory).into_iter().collect()).collect(),
            quantized: quantized(device, fused),
            found: buffer(device, "found", found_len(plan) * 4),
            capacity: 0,
            capacity_before: 0,
            n_outputs: 0,
            parts,
        }
    }

    /// Takes whole rows of a weight.
    pub(super) fn put(
        &mut self,
        device: &Device,
        fused: &Fused,
        weight: Weight,
        codec: Codec,
        first_row: usize,
        bytes: &[u8],
    ) {
        let Some(place) = fused.places[weight.0] else {
            self.put_vector(device, fused, weight, codec, bytes);
            return;
        };
        let matrix = &fused.matrices[place.matrix];
        let row_bytes = codec.row_bytes(matrix.cols).expect("the file's rows are whole blocks");
        let step = (PACK_BYTES / row_bytes / ROWS_STEP).max(1) * ROWS_STEP;
        let mut row = place.first_row + first_row;
        let mut rest = bytes;
        while !rest.is_empty() {
            // No more than what is left of the part.
            let part =
                self.parts[place.matrix].iter().position(|rows| rows.contains(&row)).expect("every row has a part");
            let rows = &self.parts[place.matrix][part];
            let n = step.min(rows.end - row).min(rest.len() / row_bytes);
            let (now, later) = rest.split_at(n * row_bytes);
            let packed = layout::pack(codec, matrix.cols, now);
            self.matrices[place.matrix][part].write(
                device,
                layout::layout(codec.format()),
                row - rows.start,
                matrix.cols,
                &packed,
            );
            (row, rest) = (row + n, later);
        }
        // Without a submit, what is written is kept in memory twice.
        device.queue.submit([]);
    }

    fn put_vector(&mut self, device: &Device, fused: &Fused, weight: Weight, codec: Codec, bytes: &[u8]) {
        let mut vector = vec![0.0; bytes.len() / codec.block_bytes() * codec.block_len()];
        codec.dequantize(bytes, &mut vector);
        if let Some(buffer) = &self.vectors[weight.0] {
            device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&vector));
        }
        if fused.angles.iter().any(|kind| kind.factors == Some(weight)) {
            self.factors[weight.0] = vector;
        }
        // Tables that were made before these came.
        for (kind, table) in fused.angles.iter().zip(&self.angles).filter(|(kind, _)| kind.factors == Some(weight)) {
            device.queue.write_buffer(table, 0, bytemuck::cast_slice(&self.turns(kind, 0..self.capacity)));
        }
    }

    /// Makes room for a batch of this size; says whether any buffer is a new one.
    pub(super) fn grow(&mut self, device: &Device, plan: &Plan, fused: &Fused, size: &Size, n_ctx: usize) -> bool {
        let mut is_new = false;
        let end = size.start + size.n_tokens;
        if end > self.capacity {
            let capacity = end.next_multiple_of(PAGE).min(n_ctx).next_multiple_of(KEYS_BLOCK);
            self.grow_caches(device, plan, capacity, n_ctx);
            self.grow_angles(device, fused, capacity);
            self.capacity_before = std::mem::replace(&mut self.capacity, capacity);
            is_new = true;
        }
        if size.n_outputs > self.n_outputs {
            self.n_outputs = size.n_outputs;
            let logits = plan.logits.map(|logits| fused.slots[logits.0].buf);
            for (i, info) in fused.bufs.iter().enumerate().filter(|(_, info)| info.rows == Rows::Outputs) {
                // Matmuls read whole tiles. The logits are no matmul's input, and very wide.
                let rows = if Some(i) == logits { self.n_outputs } else { self.n_outputs.next_multiple_of(TILE) };
                let new = buffer(device, "outputs", info.stride * rows * 4);
                std::mem::replace(&mut self.bufs[i], new).destroy();
            }
            is_new = true;
        }
        is_new
    }

    /// Layer by layer, so that only one layer's keys and values are there twice.
    fn grow_caches(&mut self, device: &Device, plan: &Plan, capacity: usize, n_ctx: usize) {
        for (memory, buffers) in plan.memories.iter().zip(&mut self.remembered) {
            let Remembered::Kv(kv) = memory else { continue };
            let n_slots = ring_len(kv, n_ctx).map_or(capacity, |len| len.min(capacity));
            let [keys, values] = [("keys", kv.k_dim), ("values", kv.v_dim)]
                .map(|(name, dim)| buffer(device, name, n_slots * kv.n_head_kv * eights(dim) * 16));
            let old = std::mem::replace(buffers, vec![keys, values]);
            copy_all(device, &old, buffers);
            old.iter().for_each(wgpu::Buffer::destroy);
        }
    }

    /// A copy of every memory that cannot be cut.
    pub(super) fn copy(&self, device: &Device, plan: &Plan, n_ctx: usize) -> Copies {
        let is_cuttable = |memory: &Remembered| match memory {
            Remembered::Kv(kv) => ring_len(kv, n_ctx).is_none(),
            Remembered::State { .. } => false,
        };
        let mems = (0..plan.memories.len()).filter(|mem| !is_cuttable(&plan.memories[*mem])).map(Mem);
        let copies = mems.map(|mem| {
            let buffers = &self.remembered[mem.0];
            let copies: Vec<_> = buffers.iter().map(|from| empty(device, "checkpoint", from.size())).collect();
            copy_all(device, buffers, &copies);
            (mem, copies)
        });
        Copies(copies.collect())
    }

    /// Takes memories back from a copy.
    pub(super) fn restore(&self, device: &Device, copies: &Copies) {
        copies.0.iter().for_each(|(mem, copies)| copy_all(device, copies, &self.remembered[mem.0]));
    }

    /// The buffers of a memory, and how many bytes of them the first `n_written` positions take, of as many as there is room for.
    pub(super) fn parts(&self, plan: &Plan, mem: Mem, n_written: usize, n_ctx: usize) -> Vec<(&wgpu::Buffer, usize)> {
        let buffers = self.remembered[mem.0].iter();
        match plan.memories[mem.0] {
            Remembered::State { len } => buffers.map(|buffer| (buffer, len * 4)).collect(),
            Remembered::Kv(kv) => {
                let n_slots = n_written.min(ring_len(&kv, n_ctx).unwrap_or(n_written)).next_multiple_of(KEYS_BLOCK);
                let bytes = [kv.k_dim, kv.v_dim].map(|dim| n_slots * kv.n_head_kv * eights(dim) * 16);
                buffers.zip(bytes).collect()
            }
        }
    }

    /// Makes every state what it is before the first token.
    pub(super) fn clear_states(&self, device: &Device, plan: &Plan) {
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (memory, buffers) in plan.memories.iter().zip(&self.remembered) {
            match memory {
                Remembered::Kv(_) => {}
                Remembered::State { .. } => buffers.iter().for_each(|state| encoder.clear_buffer(state, 0, None)),
            }
        }
        device.queue.submit([encoder.finish()]);
    }

    /// Bytes that memories take, without those of checkpoints.
    pub(super) fn remembered_bytes(&self) -> u64 {
        self.remembered.iter().flatten().map(wgpu::Buffer::size).sum()
    }

    /// Makes tables of angles longer; what they have is copied.
    fn grow_angles(&mut self, device: &Device, fused: &Fused, capacity: usize) {
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut angles = Vec::new();
        for (i, kind) in fused.angles.iter().enumerate() {
            let turns = self.turns(kind, self.capacity..capacity);
            let row_bytes = turns.len() * 8 / (capacity - self.capacity);
            let table = buffer(device, "angles", capacity * row_bytes);
            let old_bytes = (self.capacity * row_bytes) as u64;
            device.queue.write_buffer(&table, old_bytes, bytemuck::cast_slice(&turns));
            if let Some(old) = self.angles.get(i) {
                encoder.copy_buffer_to_buffer(old, 0, &table, 0, old_bytes);
            }
            angles.push(table);
        }
        device.queue.submit([encoder.finish()]);
        std::mem::replace(&mut self.angles, angles).iter().for_each(wgpu::Buffer::destroy);
    }

    /// Cosines and sines of these positions; without factors that have not come yet.
    fn turns(&self, kind: &Angles, positions: Range<usize>) -> Vec<[f32; 2]> {
        let factors = kind.factors.map(|w| &self.factors[w.0][..]).filter(|factors| !factors.is_empty());
        positions.flat_map(|pos| cos_sin(&kind.rope, factors, pos)).map(|(cos, sin)| [cos, sin]).collect()
    }

    /// The buffer that a kernel means, and how much of it.
    pub(super) fn binding(&self, resource: Resource) -> wgpu::BindingResource<'_> {
        let planes = |part: Part| &self.matrices[part.matrix][part.part];
        let buffer = match resource {
            Resource::State => {
                let size = std::num::NonZeroU64::new(4 * STATE_WORDS as u64);
                return wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &self.state, offset: 0, size });
            }
            Resource::Tokens | Resource::Advance => &self.state,
            Resource::Read(buf) | Resource::Write(buf) => &self.bufs[buf],
            Resource::Low(part) => &planes(part).low,
            Resource::High(part) => planes(part).high.as_ref().expect("the layout has high bits"),
            Resource::Scales(part) => planes(part).scales.as_ref().expect("the layout has scales"),
            Resource::Vector(weight) => self.vectors[weight.0].as_ref().expect("it is a vector"),
            Resource::Angles(kind) => &self.angles[kind],
            Resource::Keys(cache) | Resource::StoreKeys(cache) => &self.remembered[cache.0][0],
            Resource::Values(cache) | Resource::StoreValues(cache) => &self.remembered[cache.0][1],
            Resource::Quantized | Resource::Quantize => &self.quantized[0],
            Resource::QuantizedScales | Resource::QuantizeScales => &self.quantized[1],
            Resource::Found | Resource::Find => &self.found,
            Resource::Settings => &self.settings,
            Resource::Drawn | Resource::Draw => &self.drawn,
            Resource::Candidates | Resource::FindCandidates => &self.candidates,
            Resource::Chances => &self.chances,
        };
        buffer.as_entire_binding()
    }

    /// Writes what changes from batch to batch.
    pub(super) fn write_state(&self, device: &Device, size: &Size, first_output: usize, tokens: &[u32]) -> usize {
        let numbers = [size.start, size.n_tokens, first_output, size.n_outputs];
        let state: Vec<u32> = numbers.into_iter().map(narrow).chain(tokens.iter().copied()).collect();
        device.queue.write_buffer(&self.state, 0, bytemuck::cast_slice(&state));
        state.len() * 4
    }
}

/// A checkpoint: copies of the memories that cannot be cut.
#[derive(Debug)]
pub(super) struct Copies(Vec<(Mem, Vec<wgpu::Buffer>)>);

impl Drop for Copies {
    fn drop(&mut self) {
        self.0.iter().flat_map(|(_, copies)| copies).for_each(wgpu::Buffer::destroy);
    }
}

/// A browser keeps what is merely dropped until it collects garbage, and the largest buffer looks small to it. Therefore
/// buffers are destroyed, here and where they grow.
impl Drop for Memory {
    fn drop(&mut self) {
        let planes = self.matrices.iter().flatten();
        let planes = planes.flat_map(|p| [Some(&p.low), p.high.as_ref(), p.scales.as_ref()]).flatten();
        let single =
            [&self.state, &self.found, &self.candidates, &self.settings, &self.drawn, &self.chances].into_iter();
        let many = [&self.bufs[..], &self.angles, &self.quantized].into_iter().flatten();
        let remembered = self.remembered.iter().flatten();
        let vectors = self.vectors.iter().flatten();
        planes.chain(single).chain(many).chain(remembered).chain(vectors).for_each(wgpu::Buffer::destroy);
    }
}

impl Planes {
    fn write(&self, device: &Device, layout: Layout, row: usize, cols: usize, packed: &layout::Planes) {
        let [low, high, scales] = layout.plane_bytes(row * cols.div_ceil(CHUNK));
        let write =
            |buffer: &wgpu::Buffer, at: usize, bytes: &[u8]| device.queue.write_buffer(buffer, at as u64, bytes);
        write(&self.low, low, &packed.low);
        if let Some(buffer) = &self.high {
            write(buffer, high, &packed.high);
        }
        if let Some(buffer) = &self.scales {
            write(buffer, scales, &packed.scales);
        }
    }
}

/// Room for a batch of the widest input of a matmul as bytes (`shaders/quantize.wgsl`), where there is use for it.
fn quantized(device: &Device, fused: &Fused) -> [wgpu::Buffer; 2] {
    let widest = fused.matrices.iter().map(|matrix| matrix.cols.div_ceil(CHUNK)).max().unwrap_or(0);
    let chunks = if device.tier().dots { widest * TOKENS_MAX } else { 0 };
    [buffer(device, "quantized", chunks * CHUNK * 2), buffer(device, "quantized scales", chunks * 16)]
}

/// The usual usage of a buffer.
const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

/// A buffer full of zeros.
fn buffer(device: &Device, label: &str, bytes: usize) -> wgpu::Buffer {
    // Whole vectors, so that no reading kernel sees half of one.
    empty(device, label, bytes.next_multiple_of(16).max(16) as u64)
}

/// The buffer of a memory that has its size from the beginning.
fn state(device: &Device, memory: &Remembered) -> Option<wgpu::Buffer> {
    match memory {
        Remembered::Kv(_) => None,
        Remembered::State { len } => Some(buffer(device, "state", len * 4)),
    }
}

/// Has the device copy each buffer of `from` to the beginning of its counterpart, as far as that has room.
fn copy_all(device: &Device, from: &[wgpu::Buffer], to: &[wgpu::Buffer]) {
    let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (from, to) in from.iter().zip(to) {
        encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size().min(to.size()));
    }
    device.queue.submit([encoder.finish()]);
}

fn empty(device: &Device, label: &str, size: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: USAGE,
        mapped_at_creation: false,
    })
}

fn planes(device: &Device, layout: Layout, rows: usize, cols: usize) -> Planes {
    let [low, high, scales] = layout.plane_bytes(rows * cols.div_ceil(CHUNK));
    let some = |label, bytes| (bytes > 0).then(|| buffer(device, label, bytes));
    Planes { low: buffer(device, "low", low), high: some("high", high), scales: some("scales", scales) }
}

/// Errs if a buffer would be longer than the device lets a kernel see: widths may be anything that a file says.
///
/// # Errors
/// `Unsupported`.
pub(super) fn check_sizes(device: &Device, plan: &Plan, fused: &Fused) -> Result<()> {
    let bytes_max = device.buffer_bytes_max();
    let rows_of = |rows: Rows| if rows == Rows::Tokens { TOKENS_MAX } else { 1 };
    let activations = fused.bufs.iter().map(|buf| buf.stride as u64 * rows_of(buf.rows) as u64 * 4);
    let bytes = fused.matrices.iter().map(|matrix| matrix.cols.next_multiple_of(CHUNK) as u64 * TOKENS_MAX as u64 * 2);
    let rows = fused.matrices.iter().map(|m| layout::layout(m.codec.format()).longest_plane_bytes(ROWS_STEP, m.cols));
    let positions = [position_bytes(plan, &fused.angles) * KEYS_BLOCK as u64];
    match activations.chain(bytes).chain(rows).chain(positions).max() {
        Some(bytes) if bytes > bytes_max => {
            let message =
                format!("The model is too wide for the GPU: {bytes} bytes in one piece, of at most {bytes_max}.");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tokens for which the longest buffer has room, if it has so many bytes.
pub(super) fn n_ctx_max(position_bytes: u64, bytes_max: u64) -> usize {
    usize::try_from(bytes_max / position_bytes).unwrap_or(usize::MAX) / KEYS_BLOCK * KEYS_BLOCK
}

/// What a position takes of the buffer that takes most for it: of keys, or values, of a layer, or of angles.
pub(super) fn position_bytes(plan: &Plan, angles: &[Angles]) -> u64 {
    let caches = plan.kv_caches().map(|info| (info.n_head_kv * eights(info.k_dim) * 16) as u64);
    let angles = angles.iter().map(|kind| (kind.rope.n_rot / 2 * 8) as u64);
    caches.chain(angles).max().unwrap_or(0).max(1)
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
