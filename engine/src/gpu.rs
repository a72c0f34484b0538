//! Runs a plan on a GPU, through WebGPU.
//!
//! ```text
//! plan ─ fuse ─ steps ─ kernels ─ replay: pipelines and bind groups, made once
//! file ─ layout ─ planes of words ─ memory
//! batch ─ state: one small write ─ replay: one encoder, one pass, one submit ─ logits
//! ```
//!
//! Only `device`, `memory`, `replay` and `readback` know the device's library; the others are data.

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
pub use self_test::self_test;

use crate::backend::{Batch, Outputs};
use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Plan, Weight};
use fuse::{Fused, fuse};
use kernels::{Size, Target};
use memory::{Memory, TOKENS_MAX};
use readback::Readback;
use replay::Replay;

/// Logits of one batch are not larger than this; where more are wanted, the batch is divided.
const LOGITS_BYTES_MAX: usize = 32 << 20;
/// Elements of the largest head that attention can hold.
const HEAD_DIM_MAX: usize = 512;

/// Runs a plan on a device.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    plan: Plan,
    dtypes: Vec<DType>,
    fused: Fused,
    memory: Memory,
    /// For one token, and for many; made when first needed, and again when buffers grow.
    replays: [Option<Replay>; 2],
    readback: Readback,
    n_ctx: usize,
    n_cached: usize,
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
    /// Bytes that the host read.
    pub read_bytes: usize,
}

impl Gpu {
    /// An executor of `plan` whose weights are of these types; their bytes come by [`Self::put`].
    ///
    /// # Errors
    /// `Unsupported` if the plan needs what no kernel can do, `Memory` if the device lacks memory.
    pub fn new(device: Device, plan: Plan, dtypes: Vec<DType>, n_ctx: usize) -> Result<Self> {
        if let Some(cache) = plan.caches.iter().find(|cache| cache.head_dim > HEAD_DIM_MAX) {
            let message = format!("Heads of {} elements are too large for the GPU.", cache.head_dim);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let fused = fuse(&plan, &dtypes, device.binding_bytes_max());
        let memory = Memory::new(&device, &plan, &fused, n_ctx);
        device.check()?;
        Ok(Self {
            device,
            plan,
            dtypes,
            fused,
            memory,
            replays: [None, None],
            readback: Readback::default(),
            n_ctx,
            n_cached: 0,
            counters: Counters::default(),
        })
    }

    /// Takes whole rows of a weight, in order.
    pub fn put(&mut self, weight: Weight, first_row: usize, bytes: &[u8]) {
        self.memory.put(&self.device, &self.fused, weight, self.dtypes[weight.0], first_row, bytes);
    }

    /// Makes pipelines and bind groups before they are needed: a browser compiles them while weights arrive.
    pub fn warm_up(&mut self) {
        for n_tokens in [1, 2] {
            self.prepare(&Size { start: 0, n_tokens: n_tokens.min(self.n_ctx), n_outputs: 1 });
        }
    }

    /// Tokens that fit into the cache.
    pub fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What was asked of the device so far.
    pub fn counters(&self) -> Counters {
        Counters { n_pipelines: self.device.n_pipelines(), ..self.counters }
    }

    /// See [`crate::backend::Backend::forward`].
    ///
    /// # Errors
    /// What the device says: it is lost, it has no memory left, it refused a kernel.
    pub async fn forward(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        let (start, n_tokens) = (batch.start, batch.tokens.len());
        assert!(start + n_tokens <= self.n_ctx, "{start} + {n_tokens} tokens in a context of {}", self.n_ctx);
        assert!(start <= self.n_cached, "a gap in the cache: {} cached, {start} next", self.n_cached);
        let n_most = match batch.outputs {
            Outputs::All => TOKENS_MAX.min((LOGITS_BYTES_MAX / self.logits_stride().max(1) / 4).max(1)),
            Outputs::Last | Outputs::None => TOKENS_MAX,
        };
        let mut logits = Vec::new();
        let mut done = 0;
        for tokens in batch.tokens.chunks(n_most) {
            let is_last = done + tokens.len() == n_tokens;
            let outputs = match batch.outputs {
                Outputs::Last if !is_last => Outputs::None,
                outputs @ (Outputs::None | Outputs::Last | Outputs::All) => outputs,
            };
            logits.extend(self.run(&Batch { tokens, start: start + done, outputs }).await?);
            done += tokens.len();
        }
        Ok(logits)
    }

    /// f32 of one row of logits, as it lies in its buffer.
    fn logits_stride(&self) -> usize {
        self.plan.logits.map_or(0, |logits| self.fused.bufs[self.fused.slots[logits.0].buf].stride)
    }

    async fn run(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>> {
        let outputs = batch.output_rows();
        let size = Size { start: batch.start, n_tokens: batch.tokens.len(), n_outputs: outputs.len() };
        self.prepare(&size);
        let is_many = size.n_tokens > 1;
        let replay = self.replays[usize::from(is_many)].as_ref().expect("it was prepared");
        let written_bytes = self.memory.write_state(&self.device, &size, outputs.start, batch.tokens);
        let mut encoder = self.device.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let n_dispatches = {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            replay.run(&mut pass, &size)
        };
        let n_logits = size.n_outputs * self.logits_stride();
        let logits = self.plan.logits.filter(|_| n_logits > 0);
        if let Some(logits) = logits {
            let buffer = &self.memory.bufs[self.fused.slots[logits.0].buf];
            self.readback.copy(&self.device, &mut encoder, buffer, n_logits * 4);
        }
        self.device.queue.submit([encoder.finish()]);
        self.n_cached = size.start + size.n_tokens;
        self.counters.n_batches += 1;
        self.counters.n_dispatches += n_dispatches;
        self.counters.n_submits += 1;
        self.counters.n_writes += 1;
        self.counters.written_bytes += written_bytes;
        let Some(logits) = logits else {
            self.device.check()?;
            return Ok(Vec::new());
        };
        self.counters.read_bytes += n_logits * 4;
        let padded: Vec<f32> = self.readback.take(&self.device, n_logits).await?;
        let width = self.plan.width(logits);
        Ok(padded.chunks_exact(self.logits_stride()).flat_map(|row| &row[..width]).copied().collect())
    }

    /// Makes what a batch of this size needs and is not there yet.
    fn prepare(&mut self, size: &Size) {
        if self.memory.grow(&self.device, &self.plan, &self.fused, size, self.n_ctx) {
            self.replays = [None, None];
        }
        let is_many = size.n_tokens > 1;
        let replay = &mut self.replays[usize::from(is_many)];
        if replay.is_none() {
            let target = Target {
                plan: &self.plan,
                fused: &self.fused,
                parts: &self.memory.parts,
                tier: self.device.tier(),
                n_ctx: self.n_ctx,
            };
            let kernels = if is_many { kernels::prefill(&target) } else { kernels::decode(&target) };
            let made = Replay::new(&self.device, &kernels, &self.memory);
            self.counters.n_bind_groups += made.len();
            *replay = Some(made);
        }
    }
}
