//! Ministral 3: Llama with YaRN. <https://mistral.ai/news/mistral-3>
//!
//! Queries at position `pos` are multiplied by 1 + s · ln(1 + ⌊pos / n⌋), where n is the context before extension. That is 1
//! for the first n positions: the context ends there.

use super::keys::Keys;
use super::llama;
use crate::error::Result;
use crate::plan::Plan;

/// Llama's layers, for positions whose queries keep their length.
pub(super) fn plan(keys: &Keys<'_>) -> Result<Plan> {
    let mut plan = llama::plan(keys)?;
    if keys.f32_or("attention.temperature_scale", 0.0)? != 0.0 {
        plan.n_ctx_max = Some(keys.size("rope.scaling.original_context_length", u32::MAX as usize)?);
    }
    Ok(plan)
}
