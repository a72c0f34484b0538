//! What a backend remembers: whatever was read, forgotten and come back to, it goes on as if it had read only what it holds. And
//! how much room that takes.

use crate::common::tiny;
use engine::backend::{Backend, BackendKind};
use engine::cpu::{Cpu, Machine};
#[cfg(not(target_arch = "wasm32"))]
use engine::gpu::{Device, Gpu, Options};
use engine::plan::{Batch, CHECKPOINTS_MAX, Outputs, Plan, Snapshot, op};
use engine::protocol::{CacheType, Sampling};
use engine::quant::{Codec, random_blocks};
use engine::rng::Rng;
use engine::sampler::Sampler;
#[cfg(not(target_arch = "wasm32"))]
use pollster::test as async_test;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as async_test;

/// Room for tokens: more than the rings of all backends have for windows of 3.
const N_CTX: usize = 420;
/// Things that are done to a backend, at random.
const N_STEPS: usize = 40;
/// Σ (a − b)² / Σ a²: keys and values are f16, and seven layers of random weights are many.
const NMSE_MAX: f32 = 1e-4;
/// The same where keys and values are bytes.
const BYTE_NMSE_MAX: f32 = 2e-3;

#[async_test]
async fn it_goes_on_as_if_it_had_read_only_what_it_holds() {
    for (name, file) in
        [("llama", tiny::llama().finish()), ("gemma3", tiny::gemma3().finish()), ("lfm2", tiny::lfm2().finish())]
    {
        for (seed, kind) in (1..).zip(kinds()) {
            let mut walk = Walk::new(&file, &kind, seed);
            for step in 0..N_STEPS {
                let done = walk.step().await;
                let backend = walk.backend.name();
                walk.check(&format!("{name} on {backend}, step {step}: {done}")).await;
            }
        }
    }
}

/// Every backend, and every way to keep keys and values.
fn kinds() -> Vec<BackendKind> {
    let cpu = CacheType::ALL.into_iter().map(BackendKind::Cpu);
    let kinds = [BackendKind::Reference].into_iter().chain(cpu);
    #[cfg(not(target_arch = "wasm32"))]
    let kinds = kinds.chain([BackendKind::Gpu(device())]);
    kinds.collect()
}

#[cfg(not(target_arch = "wasm32"))]
fn device() -> Device {
    pollster::block_on(Device::open(Options::default())).expect("a GPU, or a program that acts as one")
}

/// A backend that things are done to, and what it should hold.
struct Walk<'a> {
    file: &'a [u8],
    backend: Backend,
    nmse_max: f32,
    rng: Rng,
    tokens: Vec<u32>,
    checkpoints: Vec<usize>,
    /// Tokens that were held, and what was saved then.
    saved: Option<(Vec<u32>, Vec<u8>)>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a [u8], kind: &BackendKind, seed: u64) -> Self {
        let backend = tiny::load(file, kind.clone(), N_CTX);
        let nmse_max = match backend.cache_type() {
            CacheType::F16 => NMSE_MAX,
            CacheType::Q8_0 => BYTE_NMSE_MAX,
        };
        Self { file, backend, nmse_max, rng: Rng::new(seed), tokens: Vec::new(), checkpoints: Vec::new(), saved: None }
    }

    /// Does something, and says what.
    async fn step(&mut self) -> String {
        let room = (N_CTX - 1).saturating_sub(self.tokens.len());
        match self.rng.below(7) {
            0 | 1 if room > 0 => {
                // Seldom more than one batch.
                let n_max = [1, 7, 60, 300][self.rng.below(4)].min(room);
                let n = 1 + self.rng.below(n_max);
                let tokens = self.random_tokens(n);
                let batch = Batch { tokens: &tokens, outputs: Outputs::None };
                self.backend.forward(&batch).await.expect("it runs");
                self.tokens.extend_from_slice(&tokens);
                format!("{n} tokens are read")
            }
            2 if room > 20 => {
                let n = 1 + self.rng.below(10);
                let ends = self.random_tokens(4);
                let sampling = Sampling { seed: None, ..Sampling::default() };
                let mut sampler = Sampler::new(&sampling, self.rng.next_u64()).limited(&ends, 20);
                let mut next = self.random_tokens(1);
                for i in 1..=n {
                    let token = self.backend.next(&next, &mut sampler).await.expect("it runs");
                    self.tokens.append(&mut next);
                    if ends.contains(&token) {
                        // A device that goes on by itself has stopped here.
                        return format!("{i} tokens are sampled, of which the last one is the end");
                    }
                    sampler.accept(token);
                    next.push(token);
                }
                let kept = self.backend.rewind(self.tokens.len());
                self.forget(self.tokens.len(), kept);
                format!("{n} tokens are sampled, {kept} are left")
            }
            3 => {
                self.backend.checkpoint();
                if !self.tokens.is_empty() && self.checkpoints.last() != Some(&self.tokens.len()) {
                    // The first one and the last ones are kept.
                    if self.checkpoints.len() == CHECKPOINTS_MAX {
                        self.checkpoints.remove(1);
                    }
                    self.checkpoints.push(self.tokens.len());
                }
                format!("a checkpoint at {}", self.tokens.len())
            }
            4 => {
                let Some((tokens, bytes)) = self.saved.take() else {
                    let snapshot = self.backend.save().await.expect("it runs");
                    self.saved = Some((self.tokens.clone(), snapshot.to_bytes()));
                    return format!("{} tokens are saved", self.tokens.len());
                };
                let snapshot = Snapshot::parse(&bytes).expect("it was saved");
                self.backend.restore(&snapshot).expect("it was saved here");
                self.checkpoints = if tokens.is_empty() { Vec::new() } else { vec![tokens.len()] };
                self.tokens = tokens;
                format!("{} tokens are restored", self.tokens.len())
            }
            _ => {
                let nearby = self.tokens.len().min(40);
                let n = match self.rng.below(3) {
                    0 => self.rng.below(self.tokens.len() + 1),
                    _ => self.tokens.len() - self.rng.below(nearby + 1),
                };
                let kept = self.backend.rewind(n);
                self.forget(n, kept);
                format!("back to {n}: {kept} are left")
            }
        }
    }

    fn random_tokens(&mut self, n: usize) -> Vec<u32> {
        let n_vocab = usize::try_from(tiny::N_VOCAB).expect("small");
        (0..n).map(|_| u32::try_from(self.rng.below(n_vocab)).expect("small")).collect()
    }

    /// Of the tokens before `n`, as many are left.
    fn forget(&mut self, n: usize, kept: usize) {
        assert!(kept <= n, "{kept} are left of {n}");
        if !self.backend.needs_checkpoints() {
            assert_eq!(kept, n, "keys and values of the whole context can be cut anywhere");
        }
        self.checkpoints.retain(|checkpoint| *checkpoint <= n);
        assert!(self.checkpoints.last().is_none_or(|newest| *newest <= kept), "{kept} are left of {n}");
        self.tokens.truncate(kept);
    }

    /// Compares what comes next with a fresh evaluation by the definition, which this token then is not part of.
    async fn check(&mut self, what: &str) {
        assert_eq!(self.backend.tokens(), self.tokens, "{what}");
        if self.tokens.len() == N_CTX {
            return;
        }
        let token = self.random_tokens(1);
        let all = [&self.tokens[..], &token].concat();
        let expected = tiny::load(self.file, BackendKind::Reference, N_CTX)
            .forward(&Batch { tokens: &all, outputs: Outputs::Last })
            .await
            .expect("it runs");
        let actual = self.backend.forward(&Batch { tokens: &token, outputs: Outputs::Last }).await.expect("it runs");
        self.tokens.extend(token);
        let error: f32 = expected.iter().zip(&actual).map(|(a, b)| (a - b).powi(2)).sum();
        let size: f32 = expected.iter().map(|a| a.powi(2)).sum();
        assert!(error / size < self.nmse_max, "{what}, then {} tokens: error {}", all.len(), error / size);
    }
}

/// What is stored may be damaged, or of another model: an error, after which the backend goes on from the beginning.
#[async_test]
async fn a_damaged_snapshot_is_an_error() {
    for file in [tiny::gemma3().finish(), tiny::lfm2().finish()] {
        for kind in kinds() {
            check_damaged_snapshots(&file, kind).await;
        }
    }
}

async fn check_damaged_snapshots(file: &[u8], kind: BackendKind) {
    let mut backend = tiny::load(file, kind.clone(), 40);
    let batch = Batch { tokens: &[1, 2, 3], outputs: Outputs::Last };
    let logits = backend.forward(&batch).await.expect("it runs");
    let bytes = backend.save().await.expect("it runs").to_bytes();
    let restore = |backend: &mut Backend, bytes: &[u8]| backend.restore(&Snapshot::parse(bytes)?);
    for n in (0..bytes.len()).step_by(13) {
        restore(&mut backend, &bytes[..n]).expect_err("it is cut off");
    }
    // What is read of it, and numbers beyond: whatever they are, they are some.
    for at in (0..120).chain((120..bytes.len()).step_by(1009)) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if restore(&mut backend, &damaged).is_ok() && at % 5 == 0 {
                assert!(at >= 16, "the fingerprint is another");
                backend.forward(&Batch { tokens: &[4], outputs: Outputs::Last }).await.expect("it runs");
            }
        }
    }
    let other = tiny::load(&tiny::llama().finish(), kind, 40).save().await.expect("it runs");
    backend.restore(&other).expect_err("it is of another model");
    assert!(backend.tokens().is_empty());
    assert_eq!(backend.forward(&batch).await.expect("it runs"), logits);
}

/// Gemma 3's layers, as far as they remember: five of six see a window of 512.
fn gemma3_270m(window: Option<usize>) -> Plan {
    let mut plan = Plan::default();
    let (n_head_kv, head_dim) = (1, 256);
    let weight = plan.weight("w", 1, n_head_kv * head_dim);
    let [k, v] = ["k", "v"].map(|name| plan.buf(name, n_head_kv * head_dim));
    for dst in [k, v] {
        plan.push(op::Embed { weight, scale: 1.0, dst });
    }
    for layer in 0..18 {
        let cache = plan.kv_cache(n_head_kv, head_dim, window.filter(|_| layer % 6 != 5));
        plan.push(op::Store { k, v, cache });
    }
    plan
}

/// In bytes: keys and values of 4096 tokens.
#[async_test]
async fn a_windowed_layer_keeps_what_its_window_needs() {
    let weight = random_blocks(Codec::F32, 256, 1);
    let tokens = vec![0; 4096];
    let batch = Batch { tokens: &tokens, outputs: Outputs::None };
    let mut sizes = Vec::new();
    for window in [None, Some(512)] {
        let plan = gemma3_270m(window);
        let mut cpu = Cpu::new(plan.clone(), vec![Codec::F32], 4096, CacheType::F16, Machine::alone());
        cpu.put(engine::plan::Weight(0), 0, &weight);
        cpu.forward(&batch);
        sizes.push(("cpu", cpu.held_bytes() >> 10));
        #[cfg(not(target_arch = "wasm32"))]
        {
            let mut gpu = Gpu::new(device(), plan, vec![Codec::F32], 4096).expect("it fits");
            gpu.put(engine::plan::Weight(0), 0, &weight);
            gpu.forward(&batch).await.expect("it runs");
            sizes.push(("gpu", gpu.held_bytes() >> 10));
        }
    }
    // 18 layers of 4096 positions; then 3 of these, and 15 of 640 or 768: the window and a batch, in whole blocks.
    let expected = [("cpu", 73728), ("gpu", 73728), ("cpu", 21888), ("gpu", 23808)];
    let has_gpu = cfg!(not(target_arch = "wasm32"));
    assert_eq!(sizes, expected.into_iter().filter(|(name, _)| has_gpu || *name == "cpu").collect::<Vec<_>>());
}
