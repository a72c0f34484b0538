//! Root mean square layer normalisation. <https://arxiv.org/abs/1910.07467>

use super::{Role, Uses};
use crate::plan::{Buf, Plan, Weight};

/// dst = x / rms(x) · weight, over groups of `weight.cols` elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsNorm {
    /// `[n, k · cols]`.
    pub x: Buf,
    /// `[cols]`.
    pub weight: Weight,
    /// Added to the mean square.
    pub eps: f32,
    /// As x; may be x itself.
    pub dst: Buf,
}

impl RmsNorm {
    pub(super) fn uses(&self) -> Uses {
        let weights = vec![(self.weight, Role::Dense)];
        Uses { reads: vec![self.x], writes: vec![self.dst], weights, memory: None }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        let Self { x, weight, eps, dst } = *self;
        format!("{} = rms_norm {} {} eps {eps}", plan.label(dst), plan.label(x), plan.tensor(weight))
    }
}
