//! How many threads pay off on this device: tried out when the model has been loaded.
//!
//! Not every core is worth a thread: on a phone the small ones hold the large ones up, and one token reads all weights, so
//! that a few threads already take all that the memory gives. Prompts are computed differently, and get their own number.

use super::Cpu;
use crate::backend::{Batch, Outputs};
use crate::protocol::Threads;

/// From here on a batch is a prompt.
const PREFILL_TOKENS: usize = 8;

/// Ops that are timed: the first layers are like all others.
const OPS_MAX: usize = 60;

/// Each number of threads is tried so often; the best time counts, because everything that disturbs makes it longer.
const TRIES: usize = 5;

/// After so long, a number of threads is not tried again: large models tell enough at once, and somebody waits.
const TRIES_SECS: f64 = 0.1;

/// So long everything runs before it is timed: a browser compiles what is new quickly, and once more, properly, in the
/// background.
const WARM_UP_SECS: f64 = 0.1;

/// More threads must make it this much faster, or they are not worth their heat.
const GAIN: f64 = 1.03;

impl Cpu {
    /// How many threads are used, of those that have come. Who comes later is used from then on if nothing was tried out.
    pub fn threads(&self) -> Threads {
        let n_arrived = self.pool.n_arrived();
        Threads { prefill: self.threads.prefill.min(n_arrived), decode: self.threads.decode.min(n_arrived) }
    }

    /// How many threads compute a batch of this many tokens.
    pub(super) fn threads_for(&self, n_tokens: usize) -> usize {
        let n = if n_tokens < PREFILL_TOKENS { self.threads.decode } else { self.threads.prefill };
        n as usize
    }

    /// Finds out how many threads pay off, by computing some layers of the model, once its weights and its threads are there.
    pub fn tune(&mut self) {
        if !self.tunes || self.pool.n_arrived() == 1 {
            return;
        }
        let clock = self.clock;
        let n_tokens = (2 * PREFILL_TOKENS).min(self.n_ctx);
        let start = clock();
        while clock() - start < WARM_UP_SECS {
            self.try_out(1);
            self.try_out(n_tokens);
        }
        let decode = self.fastest(1);
        let prefill = self.fastest(n_tokens);
        self.threads = Threads { decode, prefill };
    }

    fn try_out(&mut self, n_tokens: usize) {
        let tokens = vec![0; n_tokens];
        let batch = Batch { tokens: &tokens, start: 0, outputs: Outputs::None };
        self.run_ops(self.plan.ops.len().min(OPS_MAX), &batch);
    }

    /// The number of threads that computes a batch of this many tokens fastest; all, if the clock is too coarse to tell.
    fn fastest(&mut self, n_tokens: usize) -> u32 {
        let clock = self.clock;
        let (mut best, mut best_secs) = (1, f64::INFINITY);
        let n_arrived = self.pool.n_arrived();
        for n_threads in (1..=n_arrived).filter(|n| *n < 5 || n % 2 == 0 || *n == n_arrived) {
            self.threads = Threads::all(n_threads);
            let mut secs = f64::INFINITY;
            let first = clock();
            for _ in 0..TRIES {
                let start = clock();
                self.try_out(n_tokens);
                secs = secs.min(clock() - start);
                if clock() - first > TRIES_SECS {
                    break;
                }
            }
            if secs <= 0.0 {
                return n_arrived;
            }
            if secs * GAIN < best_secs {
                (best, best_secs) = (n_threads, secs);
            }
        }
        best
    }
}
