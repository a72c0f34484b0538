//! How many threads pay off on this device: tried out when the model has been loaded.
//!
//! Not every core is worth a thread: on a phone the small ones hold the large ones up, and one token reads all weights, so
//! that a few threads already take all that the memory gives. Prompts are computed differently, and get their own number.

use super::Cpu;
use crate::plan::{Batch, Outputs};
use crate::protocol::Threads;

/// From here on a batch is a prompt.
const PREFILL_TOKENS: usize = 8;

/// Ops of a prompt that are timed: the first layers are like all others. Of a reply all are, because how fast it is depends on
/// the memory, and a few layers, again and again, stay in the cache.
const PREFILL_OPS_MAX: usize = 60;

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

    /// Finds out how many threads pay off, by computing a token, and some layers of a prompt, once the model's weights and its
    /// threads are there. Whatever was read before is forgotten.
    pub fn tune(&mut self) {
        if !self.tunes || self.pool.n_arrived() == 1 {
            return;
        }
        self.rewind(0);
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
        let n_ops = self.plan.ops.len();
        let (n_ops, outputs) = match n_tokens {
            1 => (n_ops, Outputs::Last),
            _ => (n_ops.min(PREFILL_OPS_MAX), Outputs::None),
        };
        self.run_ops(n_ops, &Batch { tokens: &tokens, outputs });
        self.history.extend(&tokens);
        self.rewind(0);
    }

    /// The number of threads that computes a batch of this many tokens fastest.
    fn fastest(&mut self, n_tokens: usize) -> u32 {
        fastest(self.clock, self.pool.n_arrived(), |n_threads| {
            self.threads = Threads::all(n_threads);
            self.try_out(n_tokens);
        })
    }
}

/// The number of threads, up to `n_max`, that does some work fastest; all, if the clock is too coarse to tell.
fn fastest(clock: impl Fn() -> f64, n_max: u32, mut work: impl FnMut(u32)) -> u32 {
    let (mut best, mut best_secs) = (1, f64::INFINITY);
    for n_threads in (1..=n_max).filter(|n| *n < 5 || n % 2 == 0 || *n == n_max) {
        let mut secs = f64::INFINITY;
        let first = clock();
        for _ in 0..TRIES {
            let start = clock();
            work(n_threads);
            secs = secs.min(clock() - start);
            if clock() - first > TRIES_SECS {
                break;
            }
        }
        if secs <= 0.0 {
            return n_max;
        }
        if secs * GAIN < best_secs {
            (best, best_secs) = (n_threads, secs);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Machine, Pool};
    use crate::plan::{Plan, op};
    use crate::protocol::CacheType;
    use crate::quant::Codec;
    use crate::quant::random_blocks;
    use std::cell::{Cell, RefCell};
    use std::sync::atomic::{AtomicU32, Ordering};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// A model of one matrix, and three threads, of which helpers come where there are threads at all.
    fn cpu(tune: bool) -> Cpu {
        /// Seconds: every look is a millisecond later, whatever happened between.
        fn clock() -> f64 {
            static LOOKS: AtomicU32 = AtomicU32::new(0);
            f64::from(LOOKS.fetch_add(1, Ordering::Relaxed)) * 1e-3
        }
        let mut plan = Plan::default();
        let weight = plan.weight("w", 64, 64);
        let [x, logits] = ["x", "logits"].map(|name| plan.buf(name, 64));
        plan.push(op::Embed { weight, scale: 1.0, dst: x });
        plan.push(op::MatMul { x, weight, bias: None, scale: 1.0, dst: logits });
        plan.logits = Some(logits);
        #[cfg(not(target_arch = "wasm32"))]
        let pool = Pool::spawn(3);
        #[cfg(target_arch = "wasm32")]
        let pool = {
            let (pool, helpers) = Pool::new(3);
            helpers.iter().for_each(|helper| helper.arrive());
            pool
        };
        let mut cpu = Cpu::new(plan, vec![Codec::Q4_0], 32, CacheType::F16, Machine { pool, clock, tune });
        cpu.put(weight, 0, &random_blocks(Codec::Q4_0, 64 * 64 / Codec::Q4_0.block_len(), 1));
        cpu
    }

    #[test]
    fn a_device_whose_threads_gain_nothing_uses_one() {
        let mut cpu = cpu(true);
        let batch = Batch { tokens: &[7], outputs: Outputs::Last };
        let logits = cpu.forward(&batch);
        assert_eq!(cpu.threads(), Threads::all(3), "nothing was tried out");
        cpu.tune();
        assert_eq!(cpu.threads(), Threads::all(1), "all numbers take as long");
        assert_eq!([1, PREFILL_TOKENS].map(|n_tokens| cpu.threads_for(n_tokens)), [1, 1]);
        assert_eq!(cpu.forward(&batch), logits, "trying out leaves nothing behind");
    }

    #[test]
    fn a_number_that_was_asked_for_is_not_tried_out() {
        let mut cpu = cpu(false);
        cpu.tune();
        assert_eq!(cpu.threads(), Threads::all(3));
    }

    /// What is chosen of eight threads where work takes so long, and with how many threads it was done each time.
    fn chosen(secs: impl Fn(u32, usize) -> f64) -> (u32, Vec<u32>) {
        let (now, tries) = (Cell::new(0.0), RefCell::new(Vec::new()));
        let work = |n_threads| {
            let n_before = tries.borrow().iter().filter(|n| **n == n_threads).count();
            now.set(now.get() + secs(n_threads, n_before));
            tries.borrow_mut().push(n_threads);
        };
        (fastest(|| now.get(), 8, work), tries.into_inner())
    }

    #[test]
    fn as_many_threads_as_pay_off() {
        assert_eq!(chosen(|n, _| 1e-3 / f64::from(n)).0, 8, "equal cores");
        assert_eq!(
            chosen(|n, _| if n > 4 { 1e-3 } else { 1e-3 / f64::from(n) }).0,
            4,
            "small cores hold large ones up"
        );
        assert_eq!(chosen(|n, _| 1e-3 / f64::from(n.min(2))).0, 2, "two take all that memory gives");
        assert_eq!(chosen(|n, _| 1e-3 - 1e-6 * f64::from(n)).0, 1, "a gain too small");
    }

    #[test]
    fn what_disturbs_a_try_does_not_count() {
        let secs = |n: u32, n_before| if n == 4 && n_before != 2 { 1.0 / 40.0 } else { 1e-3 / f64::from(n.min(4)) };
        assert_eq!(chosen(secs).0, 4);
    }

    #[test]
    fn a_clock_that_stands_still_tells_nothing() {
        assert_eq!(chosen(|_, _| 0.0).0, 8);
    }

    #[test]
    fn a_large_model_is_tried_once() {
        let (n_threads, tries) = chosen(|n, _| 1.0 / f64::from(n));
        assert_eq!((n_threads, tries), (8, vec![1, 2, 3, 4, 6, 8]));
    }
}
