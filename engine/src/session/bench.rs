//! Measures the model as llama-bench does: reading a prompt (`pp`) and writing token by token (`tg`), with a given number
//! of tokens already in the context.
//!
//! What is read is random, from a seed; what is written is what the model finds most likely, whatever that says: no
//! token ends it. Every test has one run first that does not count. Time is what the model takes and choosing the token;
//! what happens between steps does not count, except where a device goes on by itself meanwhile.
//! <https://github.com/ggml-org/llama.cpp/tree/b6527/tools/llama-bench>

use super::Session;
use crate::backend::Backend;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::Counters;
use crate::plan::{Batch, Outputs};
use crate::protocol::{BenchOptions, GpuCost, Profile, Sampling};
use crate::rng::Rng;
use crate::sampler::Sampler;
use std::collections::VecDeque;

/// The most likely token, whatever was said before.
const GREEDY: Sampling = Sampling {
    temperature: 0.0,
    top_k: 1,
    top_p: 1.0,
    min_p: 0.0,
    repeat_penalty: 1.0,
    frequency_penalty: 0.0,
    presence_penalty: 0.0,
    penalty_last_n: 0,
    seed: None,
};

/// What [`Session::bench_step`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchStep {
    /// Computed some tokens.
    Working {
        /// So far, of all tests.
        done: usize,
        /// Of all tests.
        total: usize,
    },
    /// Finished a test.
    Measured {
        /// llama-bench's name of it: `pp512`, `tg64 @ d512`.
        test: String,
        /// Tokens per second of every repetition.
        tokens_per_sec: Vec<f64>,
        /// What a token cost the GPU, of a generation on one.
        gpu_cost: Option<GpuCost>,
        /// What took how long on the CPU, if that was asked for.
        profile: Option<Profile>,
    },
    /// There are no more tests.
    Done,
}

/// A measurement in progress.
pub(super) struct Bench {
    tests: VecDeque<Test>,
    depth: usize,
    reps: usize,
    profile: bool,
    rng: Rng,
    /// Of all tests: tokens that are computed, and tokens there are to compute.
    done: usize,
    total: usize,
    /// Of a generation: what the model would write after the token before; none where it has not said.
    next: Option<u32>,
    sampler: Sampler,
    /// Of the current test: the current run's tokens and time, and what the runs before it reached.
    n_done: usize,
    start_secs: f64,
    secs: f64,
    /// What had been asked of the GPU when it began.
    counters: Option<Counters>,
    is_warm: bool,
    tokens_per_sec: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Test {
    kind: Kind,
    n_tokens: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prompt,
    Generation,
}

impl Session {
    /// Begins a measurement; a reply in progress is given up, and what was read is forgotten.
    ///
    /// # Errors
    /// `ContextFull` if a test does not fit into the context.
    pub fn start_bench(&mut self, options: &BenchOptions, seed: u64) -> Result<()> {
        let tests = [(Kind::Prompt, options.n_prompt), (Kind::Generation, options.n_gen)];
        let tests = tests.map(|(kind, n_tokens)| Test { kind, n_tokens: n_tokens as usize });
        let tests: VecDeque<Test> = tests.into_iter().filter(|test| test.n_tokens > 0).collect();
        let depth = options.depth as usize;
        let longest = tests.iter().map(|test| test.n_tokens).max().unwrap_or(0);
        if depth.saturating_add(longest) > self.backend.n_ctx() {
            let message = format!(
                "A test of {longest} tokens after {depth} others does not fit into a context of {}.",
                self.backend.n_ctx()
            );
            return Err(Error::new(ErrorKind::ContextFull, message));
        }
        self.reply = None;
        self.backend.rewind(0);
        let reps = options.reps as usize;
        self.bench = Some(Bench {
            total: depth + tests.iter().map(|test| (1 + reps) * test.n_tokens).sum::<usize>(),
            tests,
            depth,
            reps,
            profile: options.profile,
            rng: Rng::new(seed),
            done: 0,
            next: None,
            sampler: Sampler::new(&GREEDY, 0),
            n_done: 0,
            start_secs: 0.0,
            secs: 0.0,
            counters: None,
            is_warm: false,
            tokens_per_sec: Vec::new(),
        });
        Ok(())
    }

    /// Goes on with the measurement by one chunk, or by one token. `clock` gives seconds since any fixed moment.
    ///
    /// # Errors
    /// As the backend. The measurement is given up.
    pub async fn bench_step(&mut self, clock: impl Fn() -> f64) -> Result<BenchStep> {
        let Some(mut bench) = self.bench.take() else { return Ok(BenchStep::Done) };
        let Some(&test) = bench.tests.front() else { return Ok(BenchStep::Done) };
        if bench.n_done == 0 {
            self.backend.rewind(bench.depth);
        }
        let missing = bench.depth.saturating_sub(self.backend.tokens().len());
        if missing > 0 {
            let tokens = self.random_tokens(&mut bench.rng, missing.min(self.chunk_tokens));
            self.backend.forward(&Batch { tokens: &tokens, outputs: Outputs::None }).await?;
            bench.done += tokens.len();
            if tokens.len() == missing {
                self.backend.checkpoint();
            }
            let step = bench.working();
            self.bench = Some(bench);
            return Ok(step);
        }

        let n_left = test.n_tokens - bench.n_done;
        if bench.n_done == 0 {
            self.backend.wait_idle().await?;
            bench.counters = self.backend.counters().filter(|_| test.kind == Kind::Generation);
            bench.start_secs = clock();
        }
        let n = match test.kind {
            Kind::Prompt => n_left.min(self.chunk_tokens),
            Kind::Generation => 1,
        };
        let tokens = match bench.next.take() {
            Some(token) => vec![token],
            None => self.random_tokens(&mut bench.rng, n),
        };
        let start_secs = clock();
        match test.kind {
            Kind::Prompt => {
                let outputs = if n == n_left { Outputs::Last } else { Outputs::None };
                self.backend.forward(&Batch { tokens: &tokens, outputs }).await?;
            }
            Kind::Generation => {
                if bench.n_done == 0 {
                    bench.sampler = Sampler::new(&GREEDY, 0).limited(&[], n_left);
                }
                bench.next = Some(self.backend.next(&tokens, &mut bench.sampler).await?);
            }
        }
        if test.kind == Kind::Generation && self.backend.decodes_ahead() {
            bench.secs = clock() - bench.start_secs;
        } else {
            bench.secs += clock() - start_secs;
        }
        bench.n_done += n;
        bench.done += n;
        let mut step =
            if bench.n_done == test.n_tokens { bench.end_run(test, self.backend.counters()) } else { bench.working() };
        if let BenchStep::Measured { profile, .. } = &mut step {
            *profile = bench.profile.then(|| self.profile(n)).flatten();
        }
        self.bench = Some(bench);
        Ok(step)
    }

    /// Computes the last `n` tokens again, as far as they can be forgotten, and says what takes how long; on the CPU only.
    fn profile(&mut self, n: usize) -> Option<Profile> {
        let Backend::Cpu(cpu) = &mut self.backend else { return None };
        let tokens = cpu.tokens().to_vec();
        let (_, tokens) = tokens.split_at(tokens.len() - n);
        cpu.rewind(cpu.tokens().len() - n);
        Some(cpu.profile(&Batch { tokens, outputs: Outputs::Last }))
    }

    fn random_tokens(&self, rng: &mut Rng, n: usize) -> Vec<u32> {
        let n_vocab = self.model.config.n_vocab;
        (0..n).map(|_| u32::try_from(rng.below(n_vocab)).expect("token ids are u32")).collect()
    }
}

impl Bench {
    fn working(&self) -> BenchStep {
        BenchStep::Working { done: self.done, total: self.total }
    }

    fn end_run(&mut self, test: Test, counters: Option<Counters>) -> BenchStep {
        if self.is_warm {
            self.tokens_per_sec.push(test.n_tokens as f64 / self.secs.max(f64::MIN_POSITIVE));
        }
        (self.n_done, self.secs, self.is_warm, self.next) = (0, 0.0, true, None);
        if self.tokens_per_sec.len() < self.reps {
            return self.working();
        }
        self.tests.pop_front();
        self.is_warm = false;
        let gpu_cost = counters.zip(self.counters.take()).map(|(after, before)| after.cost_since(&before));
        let tokens_per_sec = std::mem::take(&mut self.tokens_per_sec);
        BenchStep::Measured { test: test.name(self.depth), tokens_per_sec, gpu_cost, profile: None }
    }
}

impl Test {
    fn name(&self, depth: usize) -> String {
        let kind = match self.kind {
            Kind::Prompt => "pp",
            Kind::Generation => "tg",
        };
        let depth = if depth > 0 { format!(" @ d{depth}") } else { String::new() };
        format!("{kind}{}{depth}", self.n_tokens)
    }
}
