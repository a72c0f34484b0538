//! What is said in the dialog of settings.

pub const APPEARANCE: &str = "Appearance";
pub const AS_THE_SYSTEM: &str = "As the system";
pub const CACHE: &str = "Cache";
pub const CACHE_F16: &str = "Cache f16";
pub const CACHE_MEANING: &str = "q8_0 takes half the memory, and is a little less exact. The GPU always keeps f16.";
pub const CACHE_Q8_0: &str = "Cache q8_0";
pub const CONTEXT: &str = "Context";
pub const CONTEXT_SIZE: &str = "Context size";
pub const CONTEXT_SIZE_MEANING: &str = "In tokens. A larger one needs more memory.";
pub const CONVERSATIONS: &str = "Conversations";
pub const CPU: &str = "On the CPU";
pub const DARK: &str = "Dark";
pub const EXPORT_ALL: &str = "Export all";
pub const FASTEST: &str = "Where it is fastest";
pub const FREQUENCY_PENALTY: &str = "Frequency penalty";
pub const FREQUENCY_PENALTY_MEANING: &str = "For every earlier appearance.";
pub const GPU: &str = "On the GPU";
pub const IMPORT: &str = "Import…";
pub const IMPORT_CONVERSATIONS: &str = "Import conversations";
pub const LIGHT: &str = "Light";
pub const LONGEST_REPLY: &str = "Longest reply";
pub const LONGEST_REPLY_MEANING: &str = "In tokens; 0 for as long as the context allows.";
pub const MEASURE_MEANING: &str = "How fast models run here, in a page of its own.";
pub const MEASURE_THIS_DEVICE: &str = "Measure this device";
pub const MIN_P: &str = "Min-p";
pub const MIN_P_MEANING: &str = "Only tokens at least p times as likely as the first.";
pub const PENALTY_WINDOW: &str = "Penalty window";
pub const PENALTY_WINDOW_MEANING: &str = "How many of the last tokens the penalties look at.";
pub const PRESENCE_PENALTY: &str = "Presence penalty";
pub const PRESENCE_PENALTY_MEANING: &str = "For having appeared at all.";
pub const RANDOM: &str = "random";
pub const RELOAD_THE_MODEL: &str = "Reload the model";
pub const REPEAT_PENALTY: &str = "Repeat penalty";
pub const REPEAT_PENALTY_MEANING: &str = "Above 1 avoids recent tokens.";
pub const RESET_SAMPLING_AND_CONTEXT: &str = "Reset sampling and context";
pub const SAMPLING: &str = "Sampling";
pub const SEED: &str = "Seed";
pub const SEED_MEANING: &str = "The same seed draws the same reply.";
pub const SETTINGS: &str = "Settings";
pub const SPEED: &str = "Speed";
pub const SYSTEM_PROMPT: &str = "System prompt";
pub const SYSTEM_PROMPT_EXAMPLE: &str = "You are a helpful assistant.";
pub const SYSTEM_PROMPT_MEANING: &str = "Said to the model before every conversation.";
pub const TEMPERATURE: &str = "Temperature";
pub const TEMPERATURE_MEANING: &str = "0 always takes the most likely token.";
pub const THEME: &str = "Theme";
pub const TOP_K: &str = "Top-k";
pub const TOP_K_MEANING: &str = "Only the k most likely tokens; 0 for all.";
pub const TOP_P: &str = "Top-p";
pub const TOP_P_MEANING: &str = "Only the most likely tokens that together reach p.";
pub const WHERE_MODELS_RUN: &str = "Where models run";

pub fn context(n_tokens: u32, cache: &str) -> String {
    format!("The model now has {n_tokens} tokens, kept as {cache}. ")
}

pub fn range(min: f64, max: f64, step: f64) -> String {
    format!("From {min} to {max}, in steps of {step}.")
}
