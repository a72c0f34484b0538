//! Keys and values of the batch → KV cache.

use super::Uses;
use crate::plan::{Buf, Mem, Plan};

/// `cache[pos[t]] = (k[t], v[t])`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Store {
    /// `[n, n_head_kv · head_dim]`.
    pub k: Buf,
    /// As k.
    pub v: Buf,
    /// Where.
    pub cache: Mem,
}

impl Store {
    pub(super) fn uses(&self) -> Uses {
        Uses { reads: vec![self.k, self.v], memory: Some(self.cache), ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("cache{} = store {} {}", self.cache.0, plan.label(self.k), plan.label(self.v))
    }
}
