//! SmolLM3: Llama without positions in every fourth layer. <https://huggingface.co/blog/smollm3>,
//! <https://arxiv.org/abs/2501.18795>

use super::keys::Keys;
use super::llama;
use crate::error::Result;
use crate::plan::{Plan, RopePairs};

/// Each fourth layer knows no positions.
const NO_ROPE_PERIOD: usize = 4;

/// Llama's layers, three of four of which rotate queries and keys.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    llama::plan_with(keys, RopePairs::Neighbours, |layer| !(layer + 1).is_multiple_of(NO_ROPE_PERIOD))
}
