//! The buffers of a model on the device, and what the host writes to them.

use super::buffers::{self, BufferId, KEYS_BLOCK, Part, Room};
use super::device::Device;
use super::fuse::{Angles, Fused};
use super::kernels::{Size, narrow};
use super::layout::{self, CHUNK, ROWS_STEP};
use crate::error::Result;
use crate::plan::{self, Mem, Plan, Weight};
use crate::quant::Codec;
use crate::reference::cos_sin;
use std::collections::HashMap;
use std::ops::Range;

/// Rows that are packed at a time are about so many bytes of the file.
const PACK_BYTES: usize = 1 << 20;
/// The cache grows by so many positions.
const PAGE: usize = 512;

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    buffers: HashMap<BufferId, wgpu::Buffer>,
    /// Rows of each part of each matrix.
    pub(super) parts: Vec<Vec<Range<usize>>>,
    /// Divisors of rotary frequencies, as far as they have come.
    factors: HashMap<Weight, Vec<f32>>,
    /// Elements of a weight's row, by [`Weight`].
    cols: Vec<usize>,
    /// What there is room for.
    room: Room,
    /// Positions that the cache had room for before it grew.
    pub(super) capacity_before: usize,
}

impl Memory {
    /// Room for everything but positions and outputs, which come by [`Self::grow`].
    ///
    /// # Errors
    /// `Unsupported` where a buffer is longer than the device lets a kernel see.
    pub(super) fn new(device: &Device, plan: &Plan, fused: &Fused, n_ctx: usize) -> Result<Self> {
        let matrices = fused.matrices.iter();
        let bytes_max = device.piece_bytes_max();
        let parts: Vec<_> =
            matrices.map(|m| layout::split(layout::layout(m.codec.format()), m.rows, m.cols, bytes_max)).collect();
        let buffers = |room| buffers::buffers(plan, fused, &parts, device.tier(), &room);
        buffers::check_sizes(&buffers(Room { n_ctx, capacity: KEYS_BLOCK, n_outputs: 1 }), device.buffer_bytes_max())?;
        let room = Room { n_ctx, ..Room::default() };
        let buffers = buffers(room).into_iter().map(|(id, bytes)| (id, buffer(device, id, bytes))).collect();
        let cols = plan.weights.iter().map(|info| info.cols).collect();
        Ok(Self { buffers, parts, factors: HashMap::new(), cols, room, capacity_before: 0 })
    }

    /// A buffer.
    pub(super) fn buffer(&self, id: BufferId) -> &wgpu::Buffer {
        &self.buffers[&id]
    }

    /// Positions that the cache has room for.
    pub(super) fn capacity(&self) -> usize {
        self.room.capacity
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
            self.put_dense(device, fused, weight, codec, first_row, bytes);
            return;
        };
        let matrix = &fused.matrices[place.matrix];
        let row_bytes = codec.row_bytes(matrix.cols).expect("the file's rows are whole blocks");
        let step = (PACK_BYTES / row_bytes / ROWS_STEP).max(1) * ROWS_STEP;
        let mut row = place.first_row + first_row;
        let mut rest = bytes;
        while !rest.is_empty() {
            // No more than what is left of the part.
            let parts = &self.parts[place.matrix];
            let part = parts.iter().position(|rows| rows.contains(&row)).expect("every row has a part");
            let rows = &parts[part];
            let n = step.min(rows.end - row).min(rest.len() / row_bytes);
            let (now, later) = rest.split_at(n * row_bytes);
            let packed = layout::pack(codec, matrix.cols, now);
            let before = layout::layout(codec.format()).plane_bytes((row - rows.start) * matrix.cols.div_ceil(CHUNK));
            self.put_planes(device, Part { matrix: place.matrix, part }, before, &packed);
            (row, rest) = (row + n, later);
        }
        // Without a submit, what is written is kept in memory twice.
        device.queue.submit([]);
    }

    /// Writes packed rows, behind so many bytes of each plane.
    fn put_planes(&self, device: &Device, part: Part, before: [usize; 3], packed: &layout::Planes) {
        let ids = [BufferId::Low(part), BufferId::High(part), BufferId::Scales(part)];
        let planes = [&packed.low, &packed.high, &packed.scales];
        for (id, (before, plane)) in ids.into_iter().zip(before.into_iter().zip(planes)) {
            if let Some(buffer) = self.buffers.get(&id) {
                device.queue.write_buffer(buffer, before as u64, plane);
            }
        }
    }

    fn put_dense(
        &mut self,
        device: &Device,
        fused: &Fused,
        weight: Weight,
        codec: Codec,
        first_row: usize,
        bytes: &[u8],
    ) {
        let mut numbers = vec![0.0; bytes.len() / codec.block_bytes() * codec.block_len()];
        codec.dequantize(bytes, &mut numbers);
        let before = (first_row * self.cols[weight.0] * size_of::<f32>()) as u64;
        device.queue.write_buffer(self.buffer(BufferId::Dense(weight)), before, bytemuck::cast_slice(&numbers));
        // Tables that were made before these came.
        if fused.angles.iter().any(|kind| kind.factors == Some(weight)) {
            self.factors.insert(weight, numbers);
        }
        for (i, kind) in fused.angles.iter().enumerate().filter(|(_, kind)| kind.factors == Some(weight)) {
            let table = self.cos_sin_table(kind, 0..self.room.capacity);
            device.queue.write_buffer(self.buffer(BufferId::Angles(i)), 0, bytemuck::cast_slice(&table));
        }
    }

    /// Makes room for a batch of this size; says whether any buffer is a new one.
    pub(super) fn grow(&mut self, device: &Device, plan: &Plan, fused: &Fused, size: &Size) -> bool {
        let before = self.room;
        let end = size.start + size.n_tokens;
        let capacity = match end > before.capacity {
            true => end.next_multiple_of(PAGE).min(before.n_ctx).next_multiple_of(KEYS_BLOCK),
            false => before.capacity,
        };
        let room = Room { capacity, n_outputs: before.n_outputs.max(size.n_outputs), ..before };
        if room == before {
            return false;
        }
        // One by one, so that only one is there twice.
        for (id, bytes) in buffers::buffers(plan, fused, &self.parts, device.tier(), &room) {
            if padded(bytes) > self.buffer(id).size() {
                self.lengthen(device, fused, id, bytes, room);
            }
        }
        if room.capacity > before.capacity {
            self.capacity_before = before.capacity;
        }
        self.room = room;
        true
    }

    /// Replaces a buffer by a longer one. What belongs to positions is kept.
    fn lengthen(&mut self, device: &Device, fused: &Fused, id: BufferId, bytes: u64, room: Room) {
        let new = buffer(device, id, bytes);
        let old = self.buffers.insert(id, new.clone()).expect("it was there before it grew");
        let known = self.room.capacity;
        if is_of_positions(id) && known > 0 {
            copy_all(device, [(&old, &new)]);
        }
        if let BufferId::Angles(kind) = id {
            let table = self.cos_sin_table(&fused.angles[kind], known..room.capacity);
            let before = if known > 0 { old.size() } else { 0 };
            device.queue.write_buffer(&new, before, bytemuck::cast_slice(&table));
        }
        old.destroy();
    }

    /// A copy of every memory that cannot be cut.
    pub(super) fn copy(&self, device: &Device, plan: &Plan) -> Copies {
        let is_cuttable = |mem: Mem| match &plan.memories[mem.0] {
            plan::Memory::Kv(kv) => buffers::ring_len(kv, self.room.n_ctx).is_none(),
            plan::Memory::State { .. } => false,
        };
        let originals = self.buffers.iter().filter(|(id, _)| id.memory().is_some_and(|mem| !is_cuttable(mem)));
        let copies = originals.map(|(id, original)| (*id, buffer(device, *id, original.size())));
        let copies = Copies(copies.collect());
        copy_all(device, copies.0.iter().map(|(id, copy)| (self.buffer(*id), copy)));
        copies
    }

    /// Takes memories back from a copy.
    pub(super) fn restore(&self, device: &Device, copies: &Copies) {
        copy_all(device, copies.0.iter().map(|(id, copy)| (copy, self.buffer(*id))));
    }

    /// The buffers of a memory, and how many bytes of them the first `n_written` positions take, of as many as there is room for.
    pub(super) fn parts(&self, plan: &Plan, mem: Mem, n_written: usize) -> Vec<(&wgpu::Buffer, usize)> {
        match plan.memories[mem.0] {
            plan::Memory::State { len } => vec![(self.buffer(BufferId::State(mem)), len * 4)],
            plan::Memory::Kv(kv) => {
                let ring_len = buffers::ring_len(&kv, self.room.n_ctx);
                let n_slots = n_written.min(ring_len.unwrap_or(n_written)).next_multiple_of(KEYS_BLOCK);
                let parts = [(BufferId::Keys(mem), kv.k_dim), (BufferId::Values(mem), kv.v_dim)];
                let bytes = |dim| n_slots * kv.n_head_kv * buffers::eights(dim) * 16;
                parts.map(|(id, dim)| (self.buffer(id), bytes(dim))).to_vec()
            }
        }
    }

    /// Makes every state what it is before the first token.
    pub(super) fn clear_states(&self, device: &Device) {
        let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let states = self.buffers.iter().filter(|(id, _)| matches!(id, BufferId::State(_)));
        states.for_each(|(_, state)| encoder.clear_buffer(state, 0, None));
        device.queue.submit([encoder.finish()]);
    }

    /// Bytes that memories take, without those of checkpoints.
    pub(super) fn remembered_bytes(&self) -> u64 {
        self.buffers.iter().filter(|(id, _)| id.memory().is_some()).map(|(_, buffer)| buffer.size()).sum()
    }

    /// Cosines and sines of these positions; without factors that have not come yet.
    fn cos_sin_table(&self, kind: &Angles, positions: Range<usize>) -> Vec<[f32; 2]> {
        let factors = kind.factors.and_then(|weight| self.factors.get(&weight)).map(Vec::as_slice);
        positions.flat_map(|pos| cos_sin(&kind.rope, factors, pos)).map(|(cos, sin)| [cos, sin]).collect()
    }

    /// Writes what changes from batch to batch.
    pub(super) fn write_state(&self, device: &Device, size: &Size, first_output: usize, tokens: &[u32]) -> usize {
        let numbers = [size.start, size.n_tokens, first_output, size.n_outputs];
        let state: Vec<u32> = numbers.into_iter().map(narrow).chain(tokens.iter().copied()).collect();
        device.queue.write_buffer(self.buffer(BufferId::BatchState), 0, bytemuck::cast_slice(&state));
        state.len() * 4
    }
}

/// A checkpoint: copies of the memories that cannot be cut.
#[derive(Debug)]
pub(super) struct Copies(Vec<(BufferId, wgpu::Buffer)>);

impl Drop for Copies {
    fn drop(&mut self) {
        self.0.iter().for_each(|(_, copy)| copy.destroy());
    }
}

/// A browser keeps what is merely dropped until it collects garbage, and the largest buffer looks small to it. Therefore
/// buffers are destroyed, here and where they grow.
impl Drop for Memory {
    fn drop(&mut self) {
        self.buffers.values().for_each(wgpu::Buffer::destroy);
    }
}

/// Whether a buffer holds something for every position, in their order.
fn is_of_positions(id: BufferId) -> bool {
    matches!(id, BufferId::Keys(_) | BufferId::Values(_) | BufferId::Angles(_))
}

/// Has the device copy the first of each two buffers to the beginning of the second, as far as that has room.
fn copy_all<'a>(device: &Device, pairs: impl IntoIterator<Item = (&'a wgpu::Buffer, &'a wgpu::Buffer)>) {
    let mut encoder = device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (from, to) in pairs {
        encoder.copy_buffer_to_buffer(from, 0, to, 0, from.size().min(to.size()));
    }
    device.queue.submit([encoder.finish()]);
}

/// The usual usage of a buffer.
const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

/// A buffer full of zeros.
fn buffer(device: &Device, id: BufferId, bytes: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(&format!("{id:?}")),
        size: padded(bytes),
        usage: USAGE,
        mapped_at_creation: false,
    })
}

/// Whole vectors, so that no reading kernel sees half of one.
fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(16).max(16)
}
