//! Rotary position embedding, with YaRN's correction. <https://arxiv.org/abs/2104.09864>, <https://arxiv.org/abs/2309.00071>

use super::{Role, Uses};
use crate::plan::{Buf, Plan, Weight};

/// Rotates every head of x by its token's position, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// `[n, k · head_dim]`.
    pub x: Buf,
    /// Elements of one head.
    pub head_dim: usize,
    /// `[n_rot / 2]` divisors of the frequencies.
    pub factors: Option<Weight>,
    /// Frequencies and pairing.
    pub rope: RopeParams,
}

/// How rotary embedding pairs the elements of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RopePairs {
    /// Neighbours: (0, 1), (2, 3), …
    Neighbours,
    /// Halves: (0, n/2), (1, n/2 + 1), …
    Halves,
}

/// Frequencies of rotary position embedding.
///
/// The angle of pair `i` at position `pos` is `pos · base^(−2i/n_rot) / factor[i]`, scaled by `freq_scale` where the
/// ramp says interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeParams {
    /// Which elements form a pair.
    pub pairs: RopePairs,
    /// Elements that rotate, from the start of the head.
    pub n_rot: usize,
    /// Base of the frequencies.
    pub freq_base: f32,
    /// 1 / context extension factor.
    pub freq_scale: f32,
    /// How far to mix extrapolation in: 0 is linear scaling, 1 is YaRN.
    pub ext_factor: f32,
    /// Cosine and sine are multiplied by this.
    pub attn_factor: f32,
    /// YaRN's ramp, fast end.
    pub beta_fast: f32,
    /// YaRN's ramp, slow end.
    pub beta_slow: f32,
    /// Context the model was trained with before extension.
    pub n_ctx_orig: usize,
}

impl Rope {
    pub(super) fn uses(&self) -> Uses {
        let weights = self.factors.map(|factors| (factors, Role::Dense)).into_iter().collect();
        Uses { reads: vec![self.x], writes: vec![self.x], weights, memory: None }
    }

    pub(super) fn line(&self, plan: &Plan) -> String {
        let Self { x, head_dim, factors, rope } = *self;
        let RopeParams { pairs, n_rot, freq_base, freq_scale, ext_factor, .. } = rope;
        let factors = factors.map(|factors| format!(" factors {}", plan.tensor(factors))).unwrap_or_default();
        let frequencies = format!("base {freq_base} scale {freq_scale} ext {ext_factor}");
        format!("{} = rope head {head_dim} {pairs:?} {n_rot} {frequencies}{factors}", plan.label(x))
    }
}
