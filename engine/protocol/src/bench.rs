//! What to measure, and what was measured.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What to measure. Tests of 0 tokens are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchOptions {
    /// `pp`: tokens of the prompt to read.
    pub n_prompt: u32,
    /// `tg`: tokens to generate, one by one.
    pub n_gen: u32,
    /// Tokens already in the context before each test.
    pub depth: u32,
    /// How often each test is repeated.
    pub reps: u32,
    /// Whether to say what takes how long, at the end of each test; on the CPU only.
    pub profile: bool,
}

/// What is asked of the GPU for one token, on average.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GpuCost {
    /// Kernels started.
    pub dispatches: f64,
    /// Command buffers submitted.
    pub submits: f64,
    /// Bind groups made.
    pub bind_groups: f64,
    /// Writes by the host.
    pub writes: f64,
    /// Their bytes.
    pub written_bytes: f64,
    /// Reads by the host.
    pub reads: f64,
    /// Their bytes.
    pub read_bytes: f64,
    /// Pipelines made so far, for everything.
    pub pipelines: u32,
}

/// What takes how long on the CPU, for one batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Of the batch.
    pub n_tokens: u32,
    /// Tokens before it.
    pub start: u32,
    /// Threads that computed it.
    pub threads: u32,
    /// Products of a weight and an activation of 16 bits that these threads can do and sum up in a second, with nothing to
    /// load or to store.
    pub products_per_sec_max: f64,
    /// Every kind of op.
    pub ops: Vec<OpTime>,
}

/// All ops of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpTime {
    /// Its kind; of a matmul also rows and columns.
    pub name: String,
    /// Of matmuls, products of a weight and an activation.
    pub n_products: u64,
    /// How long they took.
    pub secs: f64,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_tokens, start, threads, products_per_sec_max, .. } = self;
        let (s, at_most) = (if *threads == 1 { "" } else { "s" }, products_per_sec_max / 1e9);
        writeln!(f, "{n_tokens} tokens at {start}, {threads} thread{s}; at most {at_most:.1} G products/s")?;
        let total: f64 = self.ops.iter().map(|op| op.secs).sum();
        for OpTime { name, n_products, secs } in &self.ops {
            write!(f, "{name:<24} {:9.3} ms {:5.1} %", 1e3 * secs, 100.0 * secs / total.max(f64::MIN_POSITIVE))?;
            if *n_products > 0 && *secs > 0.0 {
                write!(f, " {:6.1} G products/s", *n_products as f64 / secs / 1e9)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
