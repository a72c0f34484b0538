//! What the page asks of the worker.

use crate::{BenchOptions, GenerateOptions, LoadOptions};
use serde::{Deserialize, Serialize};

/// What the page asks of the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Which models does this device hold? Answered by [`Event::Stored`].
    List,
    /// Fetch what is missing of a model, and make it the one that answers.
    Load(LoadOptions),
    /// Give up the load in progress; what has arrived is kept, so that the next load goes on from there.
    CancelLoad,
    /// Remove a stored model, by [`StoredModel::id`]. Answered by [`Event::Stored`].
    Delete {
        /// The model's [`StoredModel::id`].
        id: String,
    },
    /// Continue a conversation: answered by [`Event::Prompt`], [`Event::Text`] …, and one [`Event::Done`].
    Generate(GenerateOptions),
    /// End the reply in progress within one token.
    Stop,
    /// Measure the loaded model, as llama-bench does. Answered by [`Event::Measuring`] …, and one [`Event::Measured`] for
    /// every test.
    Bench(BenchOptions),
}
