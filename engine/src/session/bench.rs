//! Measures the model as llama-bench does: reading a prompt (`pp`) and writing token by token (`tg`), with a given number
//! of tokens already in the context.
//!
//! Tokens are random, from a seed, and nothing is drawn. Every test has one run first that does not count. Time is what
//! the model takes; what happens between steps does not count.
//! <https://github.com/ggml-org/llama.cpp/tree/b6527/tools/llama-bench>

use super::Session;
use crate::backend::Outputs;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::BenchOptions;
use crate::rng::Rng;
use std::collections::VecDeque;

/// What [`Session::bench_step`] did.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchStep {
    /// Computed some tokens.
    Working,
    /// Finished a test.
    Measured {
        /// llama-bench's name of it: `pp512`, `tg64 @ d512`.
        test: String,
        /// Tokens per second of every repetition.
        tokens_per_sec: Vec<f64>,
    },
    /// There are no more tests.
    Done,
}

/// A measurement in progress.
pub(super) struct Bench {
    tests: VecDeque<Test>,
    depth: usize,
    reps: usize,
    rng: Rng,
    /// Of the current test: the current run's tokens and time, and what the runs before it reached.
    n_done: usize,
    secs: f64,
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
    /// Begins a measurement; a reply in progress is given up, and the cache is forgotten.
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
        self.cached.clear();
        self.bench = Some(Bench {
            tests,
            depth,
            reps: options.reps as usize,
            rng: Rng::new(seed),
            n_done: 0,
            secs: 0.0,
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
            self.cached.truncate(bench.depth);
        }
        let missing = bench.depth.saturating_sub(self.cached.len());
        if missing > 0 {
            let tokens = self.random_tokens(&mut bench.rng, missing.min(self.chunk_tokens));
            self.evaluate(&tokens, Outputs::None).await?;
            self.bench = Some(bench);
            return Ok(BenchStep::Working);
        }

        let n_run = bench.run_tokens(test);
        let n_left = n_run - bench.n_done;
        let n = match test.kind {
            Kind::Prompt => n_left.min(self.chunk_tokens),
            Kind::Generation => 1,
        };
        let wants_logits = test.kind == Kind::Generation || n == n_left;
        let tokens = self.random_tokens(&mut bench.rng, n);
        let start_secs = clock();
        self.evaluate(&tokens, if wants_logits { Outputs::Last } else { Outputs::None }).await?;
        bench.secs += clock() - start_secs;
        bench.n_done += n;
        let step = if bench.n_done == n_run { bench.end_run(test) } else { BenchStep::Working };
        self.bench = Some(bench);
        Ok(step)
    }

    fn random_tokens(&self, rng: &mut Rng, n: usize) -> Vec<u32> {
        let n_vocab = self.model.config.n_vocab;
        (0..n).map(|_| u32::try_from(rng.below(n_vocab)).expect("token ids are u32")).collect()
    }
}

impl Bench {
    /// One token is enough to warm generation up.
    fn run_tokens(&self, test: Test) -> usize {
        match test.kind {
            Kind::Generation if !self.is_warm => 1,
            Kind::Generation | Kind::Prompt => test.n_tokens,
        }
    }

    fn end_run(&mut self, test: Test) -> BenchStep {
        if self.is_warm {
            self.tokens_per_sec.push(test.n_tokens as f64 / self.secs.max(f64::MIN_POSITIVE));
        }
        (self.n_done, self.secs, self.is_warm) = (0, 0.0, true);
        if self.tokens_per_sec.len() < self.reps {
            return BenchStep::Working;
        }
        self.tests.pop_front();
        self.is_warm = false;
        BenchStep::Measured { test: test.name(self.depth), tokens_per_sec: std::mem::take(&mut self.tokens_per_sec) }
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
