//! What is said in an empty conversation.

pub const HEADLINE: &str = "A small model, all yours";
pub const ON_ITS_WAY: &str = "The model is on its way. You can already write.";
pub const OTHER_MODELS: &str = "Other models";
pub const SUGGESTIONS: &str = "Suggestions";
pub const WHAT_IT_IS: &str = "Minnow runs language models inside this tab. What you write never leaves your device.";

/// Questions that a very small model can do something with.
pub const QUESTIONS: [&str; 4] = [
    "What is the capital of France?",
    "Write a short poem about a small fish.",
    "Explain in two sentences why the sky is blue.",
    "Give me three ideas for a rainy afternoon.",
];

pub fn load(name: &str) -> String {
    format!("Load {name}")
}
