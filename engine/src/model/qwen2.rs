//! Qwen 2 and 2.5: Llama with biases of queries, keys and values, and the halves of a head as rotary pairs.
//! <https://arxiv.org/abs/2407.10671>

use super::keys::Keys;
use super::llama;
use crate::error::Result;
use crate::plan::{Plan, RopePairs};

/// Llama's layers: a product adds its bias wherever the file has one.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    llama::plan_with(keys, RopePairs::Halves, |_| true)
}
