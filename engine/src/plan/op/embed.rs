//! Tokens → rows of the embedding matrix.

use super::{Role, Uses};
use crate::plan::{Buf, Plan, Weight};

/// `dst[t] = weight[token[t]] · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Embed {
    /// `[n_vocab, n_embd]`.
    pub weight: Weight,
    /// Multiplies every element.
    pub scale: f32,
    /// `[n, n_embd]`.
    pub dst: Buf,
}

impl Embed {
    pub(super) fn uses(&self) -> Uses {
        Uses { writes: vec![self.dst], weights: vec![(self.weight, Role::Rows)], ..Uses::default() }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        format!("{} = embed {} scale {}", plan.label(self.dst), plan.tensor(self.weight), self.scale)
    }
}
