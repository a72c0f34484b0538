//! How many threads compute.

use serde::{Deserialize, Serialize};

/// As many threads as pay off for either, or as were asked for; 1 on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// Threads that read a prompt.
    pub prefill: u32,
    /// Threads that write a reply.
    pub decode: u32,
}

impl Threads {
    /// This thread alone.
    pub const ONE: Self = Self::all(1);

    /// The same for both.
    pub const fn all(n_threads: u32) -> Self {
        Self { prefill: n_threads, decode: n_threads }
    }

    /// The larger of the two.
    pub fn most(self) -> u32 {
        self.prefill.max(self.decode)
    }
}
