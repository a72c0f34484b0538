//! Runs a plan on a GPU, through WebGPU.
//!
//! ```text
//! plan ─ fuse ─ steps ─ kernels ─ replay: pipelines and bind groups, made once
//! file ─ layout ─ planes of words ─ memory
//! batch ─ state: one small write ─ replay: one encoder, one pass, one submit ─ logits, or a token and the next state
//! ```
//!
//! Only this file, `device`, `memory`, `replay`, `decode_ahead` and `readback` know the device's library; the others are data.

pub mod buffers;
mod decode_ahead;
pub mod device;
pub mod fuse;
pub mod kernels;
pub mod layout;
mod memory;
mod readback;
mod replay;
mod self_test;
pub mod tier;

pub use device::{Device, Options};
pub use self_test::{self_test, test_conv, test_products};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::snapshot::invalid;
use crate::plan::{Batch, History, Mem, Outputs, Plan, Rewind, Snapshot, Weight};
use crate::protocol::GpuCost;
use crate::quant::Codec;
use buffers::{BufferId, KEYS_BLOCK, TOKENS_MAX};
use decode_ahead::DecodeAhead;
use fuse::{Fused, fuse};
use kernels::{Draw, Size, Target};
use memory::{Copies, Memory};
use readback::Readback;
use replay::Replay;
use std::collections::VecDeque;

/// Logits of one batch are not larger than this; where more are wanted, the batch is divided.
const LOGITS_BYTES_MAX: usize = 32 << 20;
/// Elements of the largest head that attention can hold.
const HEAD_DIM_MAX: usize = 512;
/// Batches of a prompt that may be under way while the host goes on.
const PREFILL_IN_FLIGHT_MAX: usize = 2;

/// Runs a plan on a device.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    plan: Plan,
    codecs: Vec<Codec>,
    fused: Fused,
    memory: Memory,
    /// By [`Kind`]; made when first needed, and again when buffers grow.
    replays: [Option<Replay>; 3],
    /// Where logits arrive.
    readback: Readback,
    decode_ahead: DecodeAhead,
    /// Batches without results that are under way, the oldest first: each is done when its readback is answered.
    prefill_in_flight: VecDeque<Readback>,
    /// Readbacks of a few words that can be used again.
    idle: Vec<Readback>,
    n_ctx: usize,
    history: History<Copies>,
    /// Where the last batch ended, also if it has been taken back since.
    last_end: usize,
    counters: Counters,
}

/// What was asked of the device so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches that were submitted.
    pub n_batches: usize,
    /// Kernels that were started.
    pub n_dispatches: usize,
    /// Command buffers.
    pub n_submits: usize,
    /// Bind groups that were made.
    pub n_bind_groups: usize,
    /// Pipelines that were made.
    pub n_pipelines: usize,
    /// Writes of the host, and their bytes, without weights.
    pub n_writes: usize,
    /// Bytes of the same.
    pub written_bytes: usize,
    /// Reads of the host, and their bytes.
    pub n_reads: usize,
    /// Bytes of the same.
    pub read_bytes: usize,
}

impl Counters {
    /// What a batch has cost since `before`, on average.
    pub fn cost_since(&self, before: &Self) -> GpuCost {
        let per_batch = |count: fn(&Self) -> usize| {
            (count(self) - count(before)) as f64 / (self.n_batches - before.n_batches).max(1) as f64
        };
        GpuCost {
            dispatches: per_batch(|counters| counters.n_dispatches),
            submits: per_batch(|counters| counters.n_submits),
            bind_groups: per_batch(|counters| counters.n_bind_groups),
            writes: per_batch(|counters| counters.n_writes),
            written_bytes: per_batch(|counters| counters.written_bytes),
            reads: per_batch(|counters| counters.n_reads),
            read_bytes: per_batch(|counters| counters.read_bytes),
            pipelines: u32::try_from(self.n_pipelines).unwrap_or(u32::MAX),
        }
    }
}

impl Gpu {
    /// An executor of `plan` whose weights are of these types; their bytes come by [`Self::put`].
    ///
    /// # Errors
    /// `Unsupported` if the plan needs what no kernel can do, `Memory` if the device lacks memory.
    pub fn new(device: Device, plan: Plan, codecs: Vec<Codec>, n_ctx: usize) -> Result<Self> {
        if let Some(kv) = plan.kv_caches().find(|kv| kv.k_dim > HEAD_DIM_MAX) {
            let message = format!("Heads of {} elements are too large for the GPU.", kv.k_dim);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let fused = fuse(&plan, &codecs, device.piece_bytes_max());
        let position_bytes = buffers::position_bytes(&plan, &fused.angles);
        let n_ctx = n_ctx.min(buffers::n_ctx_max(position_bytes, device.buffer_bytes_max()));
        let memory = Memory::new(&device, &plan, &fused, n_ctx)?;
        device.check()?;
        let history = History::new(plan.has_state(), plan.rings(n_ctx, TOKENS_MAX, KEYS_BLOCK));
        Ok(Self {
            device,
            plan,
            codecs,
            fused,
            memory,
            replays: [None, None, None],
            readback: Readback::default(),
            decode_ahead: DecodeAhead::default(),
            prefill_in_flight: VecDeque::new(),
            idle: Vec::new(),
            n_ctx,
            history,
            last_end: 0,
            counters: Counters::default(),
        })
    }

    /// Takes whole rows of a weight, in order.
    pub fn put(&mut self, weight: Weight, first_row: usize, bytes: &[u8]) {
        self.memory.put(&self.device, &self.fused, weight, self.codecs[weight.0], first_row, bytes);
    }

    /// Makes pipelines and bind groups before they are needed: a browser compiles them while weights arrive.
    pub fn warm_up(&mut self) {
        for n_tokens in [1, 2] {
            self.prepare(&Size { start: 0, n_tokens: n_tokens.min(self.n_ctx), n_outputs: 1, draw: Draw::default() });
        }
    }

    /// Compares products of the types that its matrices have with their definitions, on the same device.
    ///
    /// # Errors
    /// `Unsupported` if they disagree, and what the device says.
    pub async fn test_products(&self) -> Result<()> {
        let matrices = self.plan.matrices();
        let has = |codec: &&Codec| self.codecs.iter().zip(&matrices).any(|(of, is_matrix)| *is_matrix && of == *codec);
        for codec in Codec::ALL.iter().filter(has) {
            test_products(&self.device.without_pipelines(), *codec).await?;
        }
        Ok(())
    }

    /// Tokens that fit into the cache: no more than one buffer has room for.
    pub fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// Tokens that fitted into the cache before it grew, if it has only just grown: if memory has run out, it was by that.
    pub fn n_ctx_before(&self) -> Option<usize> {
        let before = self.memory.capacity_before;
        // A device says it while other batches are under way.
        let has_just_grown =
            self.last_end > before && self.last_end - before <= (PREFILL_IN_FLIGHT_MAX + 1) * TOKENS_MAX;
        (before > 0 && has_just_grown).then_some(before)
    }

    /// Bytes that keys, values and states take, without those of checkpoints.
    pub fn held_bytes(&self) -> u64 {
        self.memory.remembered_bytes()
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What was asked of the device so far.
    pub fn counters(&self) -> Counters {
        Counters { n_pipelines: self.device.n_pipelines(), ..self.counters }
    }

    /// See [`crate::backend::Backend::tokens`].
    pub fn tokens(&self) -> &[u32] {
        self.history.tokens()
    }

    /// See [`crate::backend::Backend::rewind`].
    pub fn rewind(&mut self, n: usize) -> usize {
        self.decode_ahead.stop();
        match self.history.rewind(n) {
            Rewind::Cut => {}
            Rewind::Restore(copies) => self.memory.restore(&self.device, copies),
            Rewind::Clear => self.memory.clear_states(&self.device),
        }
        self.history.len()
    }

    /// See [`crate::backend::Backend::save`].
    ///
    /// # Errors
    /// What the device says.
    pub async fn save(&mut self) -> Result<Snapshot> {
        // What was decoded ahead is nobody's.
        self.rewind(self.history.len());
        let n_written = self.history.n_written();
        let mut memories = Vec::new();
        for mem in (0..self.plan.memories.len()).map(Mem) {
            let parts = self.memory.parts(&self.plan, mem, n_written);
            let n_bytes: usize = parts.iter().map(|(_, n_bytes)| n_bytes).sum();
            if n_bytes == 0 {
                memories.push(Vec::new());
                continue;
            }
            let mut readback = Readback::default();
            readback.make_room(&self.device, n_bytes);
            let mut encoder = self.device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            parts.iter().for_each(|(buffer, n_bytes)| readback.copy(&mut encoder, buffer, *n_bytes));
            readback.submission = Some(self.device.queue.submit([encoder.finish()]));
            readback.ask();
            memories.push(readback.take(&self.device).await?);
        }
        Ok(Snapshot { fingerprint: self.fingerprint(), tokens: self.history.tokens().to_vec(), n_written, memories })
    }

    /// See [`crate::backend::Backend::restore`].
    ///
    /// # Errors
    /// `Invalid` if it is a snapshot of something else, or damaged: then nothing is held.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.rewind(0);
        self.history.check(snapshot, self.n_ctx)?;
        if snapshot.fingerprint != self.fingerprint() {
            return Err(invalid("it is of another model, or of another way to keep it"));
        }
        if let Err(error) = self.put_memories(snapshot) {
            self.memory.clear_states(&self.device);
            return Err(error);
        }
        self.history.restore(snapshot);
        self.checkpoint();
        Ok(())
    }

    fn put_memories(&mut self, snapshot: &Snapshot) -> Result<()> {
        let size = Size { start: snapshot.n_written, n_tokens: 0, n_outputs: 0, draw: Draw::default() };
        if self.memory.grow(&self.device, &self.plan, &self.fused, &size) {
            self.replays = [None, None, None];
        }
        for mem in (0..self.plan.memories.len()).map(Mem) {
            let parts = self.memory.parts(&self.plan, mem, snapshot.n_written);
            let mut bytes: Vec<Vec<u8>> = parts.iter().map(|(_, n_bytes)| vec![0; *n_bytes]).collect();
            snapshot.copy_to(mem.0, bytes.iter_mut().map(Vec::as_mut_slice).collect())?;
            let parts = parts.iter().zip(&bytes);
            parts.for_each(|((buffer, _), bytes)| self.device.queue.write_buffer(buffer, 0, bytes));
        }
        if snapshot.memories.len() == self.plan.memories.len() {
            self.device.check()
        } else {
            Err(invalid("it has too many memories"))
        }
    }

    fn fingerprint(&self) -> u64 {
        self.plan.fingerprint(&format!("gpu {:?}", self.plan.rings(self.n_ctx, TOKENS_MAX, KEYS_BLOCK)))
    }

    /// See [`crate::backend::Backend::needs_checkpoints`].
    pub fn needs_checkpoints(&self) -> bool {
        self.history.needs_checkpoints()
    }

    /// See [`crate::backend::Backend::checkpoint`].
    pub fn checkpoint(&mut self) {
        self.history.checkpoint(|| self.memory.copy(&self.device, &self.plan));
    }

    /// The position of the next step's first token.
    fn position(&self) -> usize {
        self.history.len() + self.history.n_ahead()
    }

    /// Forgets what was decoded ahead: something else follows than what was sampled.
    fn forget_ahead(&mut self) {
        let len = self.history.len();
        assert_eq!(self.rewind(len), len, "where a state has run ahead, something else follows a rewind");
    }

    /// See [`crate::backend::Backend::forward`].
    ///
    /// # Errors
    /// What the device says: it is lost, it has no memory left, it refused a kernel.
    pub async fn forward(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        let n_most = match batch.outputs {
            Outputs::All => TOKENS_MAX.min((LOGITS_BYTES_MAX / self.logits_stride().max(1) / 4).max(1)),
            Outputs::Last | Outputs::None => TOKENS_MAX,
        };
        self.forget_ahead();
        let start = self.history.len();
        let mut logits = Vec::new();
        for chunk in batch.chunks(n_most) {
            match self.run(&chunk).await {
                Ok(more) => logits.extend(more),
                Err(error) => {
                    self.rewind(start);
                    return Err(error);
                }
            }
        }
        Ok(logits)
    }

    /// f32 of one row of logits, as it lies in its buffer.
    fn logits_stride(&self) -> usize {
        self.plan.logits.map_or(0, |logits| self.fused.bufs[self.fused.slots[logits.0].buf].stride)
    }

    async fn run(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        let size = Size {
            start: self.history.len(),
            n_tokens: batch.tokens.len(),
            n_outputs: batch.output_rows().len(),
            draw: Draw::default(),
        };
        let stride = self.logits_stride();
        let n = size.n_outputs * stride;
        if n == 0 {
            self.run_prefill(&size, batch).await?;
            return Ok(Vec::new());
        }
        let mut readback = std::mem::take(&mut self.readback);
        readback.make_room(&self.device, n * 4);
        self.submit(&size, Work::Batch(batch), &mut readback);
        self.history.extend(batch.tokens);
        readback.ask();
        self.counters.n_reads += 1;
        self.counters.read_bytes += n * 4;
        let padded: Vec<f32> = readback.take(&self.device).await?;
        self.readback = readback;
        let width = self.plan.logits.map_or(0, |logits| self.plan.width(logits));
        Ok(padded.chunks_exact(stride).flat_map(|row| &row[..width]).copied().collect())
    }

    /// Runs a batch that only fills the cache. Some may be under way, so that the device never waits for the host; with more,
    /// the host would know neither how far a prompt is nor soon enough that a person has stopped it.
    async fn run_prefill(&mut self, size: &Size, batch: &Batch<'_>) -> Result<()> {
        let mut done = self.idle.pop().unwrap_or_default();
        done.make_room(&self.device, size_of::<u32>());
        self.submit(size, Work::Batch(batch), &mut done);
        self.history.extend(batch.tokens);
        done.ask();
        self.prefill_in_flight.push_back(done);
        while self.prefill_in_flight.len() > PREFILL_IN_FLIGHT_MAX {
            self.receive_prefill().await?;
        }
        self.device.check()
    }

    /// Waits for the oldest batch without results.
    async fn receive_prefill(&mut self) -> Result<()> {
        let Some(mut done) = self.prefill_in_flight.pop_front() else { return Ok(()) };
        let words: Vec<u32> = done.take(&self.device).await?;
        self.counters.n_reads += 1;
        self.counters.read_bytes += size_of_val(words.as_slice());
        self.idle.push(done);
        Ok(())
    }

    /// Has the device do some work, and add what comes of it to `results`: logits, or a token; of a batch without logits, any
    /// word.
    fn submit(&mut self, size: &Size, work: Work<'_>, results: &mut Readback) {
        assert!(size.n_tokens <= TOKENS_MAX, "{} tokens in a batch of {TOKENS_MAX}", size.n_tokens);
        let end = size.start + size.n_tokens;
        assert!(end <= self.n_ctx, "{end} tokens in a context of {}", self.n_ctx);
        self.last_end = end;
        self.prepare(size);
        if let Work::Batch(batch) | Work::BatchAndSample(batch) = work {
            let first_output = batch.output_rows().start;
            self.counters.written_bytes += self.memory.write_state(&self.device, size, first_output, batch.tokens);
            self.counters.n_writes += 1;
        }
        let kinds: &[Kind] = match (work, size.n_tokens > 1) {
            (Work::Batch(_), false) => &[Kind::One],
            (Work::Batch(_), true) => &[Kind::Many],
            (Work::Sample | Work::BatchAndSample(_), false) => &[Kind::One, Kind::Sample],
            (Work::Sample | Work::BatchAndSample(_), true) => &[Kind::Many, Kind::Sample],
        };
        let mut encoder = self.device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for kind in kinds {
                let replay = self.replays[*kind as usize].as_ref().expect("it was prepared");
                self.counters.n_dispatches += replay.run(&mut pass, size);
            }
        }
        let logits = self.plan.logits.map(|logits| BufferId::Activations(self.fused.slots[logits.0].buf));
        let (buffer, bytes) = match (work, logits) {
            (Work::Batch(_), Some(logits)) if size.n_outputs > 0 => (logits, size.n_outputs * self.logits_stride() * 4),
            (Work::Batch(_) | Work::BatchAndSample(_) | Work::Sample, _) => (BufferId::Sampled, 4),
        };
        results.copy(&mut encoder, self.memory.buffer(buffer), bytes);
        results.submission = Some(self.device.queue.submit([encoder.finish()]));
        self.counters.n_batches += 1;
        self.counters.n_submits += 1;
    }

    /// Makes what a batch of this size needs and is not there yet.
    fn prepare(&mut self, size: &Size) {
        if self.memory.grow(&self.device, &self.plan, &self.fused, size) {
            self.replays = [None, None, None];
        }
        let kind = if size.n_tokens > 1 { Kind::Many } else { Kind::One };
        for kind in [kind, Kind::Sample] {
            if self.replays[kind as usize].is_none() {
                let target = Target {
                    plan: &self.plan,
                    fused: &self.fused,
                    parts: &self.memory.parts,
                    tier: self.device.tier(),
                    capacity: self.memory.capacity(),
                    n_ctx: self.n_ctx,
                };
                let kernels = match kind {
                    Kind::One => kernels::decode(&target),
                    Kind::Many => kernels::prefill(&target),
                    Kind::Sample => kernels::sample(&target),
                };
                let made = Replay::new(&self.device, &kernels, &self.memory);
                self.counters.n_bind_groups += made.len();
                self.replays[kind as usize] = Some(made);
            }
        }
    }
}

/// What is asked of the device.
#[derive(Debug, Clone, Copy)]
enum Work<'a> {
    /// The logits of a batch.
    Batch(&'a Batch<'a>),
    /// A batch, and the token after it.
    BatchAndSample(&'a Batch<'a>),
    /// The token after the one that was sampled last.
    Sample,
}

/// What kernels are for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One token.
    One,
    /// Many.
    Many,
    /// Sampling of the next.
    Sample,
}
