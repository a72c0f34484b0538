//! What takes how long.

use super::{Cpu, peak};
use crate::plan::op::MatMul;
use crate::plan::{Batch, Op};
use crate::protocol::{OpTime, Profile};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A batch is run so often; the best time of each kind of op counts.
const TRIES: usize = 5;
/// Some milliseconds each: a coarse clock moves within them.
const PEAK_TRIES: usize = 50;

impl Cpu {
    /// Runs a batch, and says how long each kind of op took, and what the cores could do meanwhile. It leaves nothing behind.
    pub fn profile(&mut self, batch: &Batch<'_>) -> Profile {
        self.checkpoint();
        let mut best = BTreeMap::new();
        let mut products_per_sec_max = 0.0_f64;
        for _ in 0..TRIES {
            for (name, op) in self.time_kinds(batch) {
                let best = best.entry(name).or_insert_with(|| op.clone());
                best.secs = op.secs.min(best.secs);
            }
            products_per_sec_max = products_per_sec_max.max(self.peak());
        }
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Profile {
            n_tokens: narrow(batch.tokens.len()),
            start: narrow(self.history.len()),
            threads: narrow(self.pool.n_threads()),
            products_per_sec_max,
            ops: best.into_values().collect(),
        }
    }

    /// Runs a batch once, every op alone, also those that [`Cpu::forward`] does together; all of a kind are summed.
    fn time_kinds(&mut self, batch: &Batch<'_>) -> BTreeMap<String, OpTime> {
        self.prepare(batch);
        let mut kinds = BTreeMap::new();
        let plan = Arc::clone(&self.plan);
        for op in &plan.ops {
            let start = (self.clock)();
            self.run(op, batch);
            let secs = (self.clock)() - start;
            let (name, n_products) = self.describe(op);
            let kind = kinds.entry(name.clone()).or_insert(OpTime { name, n_products: 0, secs: 0.0 });
            kind.n_products += n_products;
            kind.secs += secs;
        }
        let start = self.history.len();
        self.history.extend(batch.tokens);
        assert_eq!(self.rewind(start), start, "a checkpoint stands there");
        kinds
    }

    /// What kind of op it is, and how much it has just multiplied.
    fn describe(&self, op: &Op) -> (String, u64) {
        if let Op::MatMul(MatMul { weight, dst, .. }) = op {
            let weight = &self.plan.weights[weight.0];
            let n_products = self.bufs[dst.0].len() as u64 * weight.cols as u64;
            return (format!("MatMul {} x {}", weight.rows, weight.cols), n_products);
        }
        (op.name().to_owned(), 0)
    }

    /// What the threads of the last batch could multiply in a second, all at the same time; 0 if the clock stands still.
    fn peak(&self) -> f64 {
        let n_threads = self.pool.n_threads();
        let start = (self.clock)();
        for n_done in 1..=PEAK_TRIES {
            self.pool.run(n_threads, &|_| peak::multiply());
            let secs = (self.clock)() - start;
            if secs > 0.0 {
                return n_done as f64 * n_threads as f64 * peak::N_PRODUCTS as f64 / secs;
            }
        }
        0.0
    }
}
