//! What a device can do, as far as kernels depend on it: one place.
//!
//! Keys and values are halves on every device, two in a word, so nothing depends on `shader-f16`.

use std::fmt;

/// How sums over neighbouring invocations are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// By subgroup operations.
    Subgroup,
    /// Through workgroup memory.
    Workgroup,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier {
    /// Sums over neighbours.
    pub reduce: Reduce,
    /// How many invocations can share a sum: a power of two.
    pub lanes_max: usize,
    /// Whether bytes are multiplied by fours, where many tokens are.
    pub dots: bool,
}

impl Tier {
    /// What every device can do.
    pub const PLAIN: Self = Self { reduce: Reduce::Workgroup, lanes_max: 16, dots: false };

    /// For a device whose subgroups have at least so many invocations.
    pub const fn subgroups(size_min: usize) -> Self {
        let lanes_max = if size_min < 32 { size_min } else { 32 };
        Self { reduce: Reduce::Subgroup, lanes_max, dots: false }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reduce {
            Reduce::Subgroup => write!(f, "subgroups of {}", self.lanes_max)?,
            Reduce::Workgroup => write!(f, "plain")?,
        }
        if self.dots { write!(f, ", dot products of bytes") } else { Ok(()) }
    }
}
