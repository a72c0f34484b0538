//! What the engine is given of the device that it runs on.

use super::Pool;

/// Threads, and a clock to find out how to use them.
#[derive(Debug)]
pub struct Machine {
    /// The threads.
    pub pool: Pool,
    /// Seconds since any fixed moment, to tune and to profile with.
    pub clock: fn() -> f64,
    /// Whether to find out how many of the threads pay off; else all are used.
    pub tune: bool,
}

impl Machine {
    /// This thread alone.
    pub fn alone() -> Self {
        Self { pool: Pool::alone(), clock: || 0.0, tune: false }
    }
}
