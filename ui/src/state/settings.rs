//! What the person can set; kept in the browser's local storage.

use protocol::{BackendWish, CacheType, Sampling};
use serde::{Deserialize, Serialize};

/// The page's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Said to the model before every conversation; nothing if empty.
    pub system_prompt: String,
    pub sampling: Sampling,
    /// The longest reply; 0 means as long as the context allows.
    pub max_tokens: u32,
    /// The largest context asked for when a model is loaded.
    pub context_tokens: u32,
    /// How what the model holds in mind is kept.
    pub cache: CacheType,
    /// Where models are to run.
    pub backend: BackendWish,
    /// Let models think that can.
    pub thinking: bool,
    /// Keep model files on this device.
    pub keep: bool,
    pub theme: Theme,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // The default model answers in broken French to the prompt that its own template adds where there is none.
            system_prompt: "You are a helpful AI assistant.".to_owned(),
            sampling: Sampling::default(),
            max_tokens: 0,
            context_tokens: 4096,
            cache: CacheType::F16,
            backend: BackendWish::Best,
            thinking: true,
            keep: true,
            theme: Theme::System,
        }
    }
}

impl Settings {
    /// The same with sampling and context as they were at first.
    pub fn with_default_numbers(&self) -> Self {
        let Self { sampling, max_tokens, context_tokens, cache, .. } = Self::default();
        Self { sampling, max_tokens, context_tokens, cache, ..self.clone() }
    }
}

impl Theme {
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}
