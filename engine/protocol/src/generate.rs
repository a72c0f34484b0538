//! A conversation, how to continue it, and how that went.

use serde::{Deserialize, Serialize};

/// One reply to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerateOptions {
    /// The conversation so far, oldest first; the last message is the person's.
    pub messages: Vec<Message>,
    /// How the next token is drawn.
    pub sampling: Sampling,
    /// The longest reply, in tokens; 0 means as long as the context allows.
    pub max_tokens: u32,
    /// For models that can think before they answer: whether they should.
    pub thinking: bool,
}

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sets the scene.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What they said, without thoughts.
    pub content: String,
}

/// How the next token is drawn from the logits. Each step is left out at its neutral value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 is the model's own distribution.
    pub temperature: f32,
    /// Keep this many of the most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep the fewest most likely tokens that together reach this probability; 1 keeps all.
    pub top_p: f32,
    /// Drop tokens less likely than this share of the most likely one; 0 keeps all.
    pub min_p: f32,
    /// Logits of recent tokens are divided (if positive) or multiplied (if negative) by this; 1 changes nothing.
    pub repeat_penalty: f32,
    /// Subtracted once for every earlier appearance.
    pub frequency_penalty: f32,
    /// Subtracted if the token appeared at all.
    pub presence_penalty: f32,
    /// How many of the last tokens the penalties look at.
    pub penalty_last_n: u32,
    /// Same seed, same draw; none draws a new one for every reply.
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            // Small models talk nonsense sooner than large ones.
            temperature: 0.3,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_last_n: 64,
            seed: None,
        }
    }
}

/// How a reply went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyStats {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub n_prompt: u32,
    /// Of these, tokens that were still in the cache.
    pub n_cached: u32,
    /// Tokens of the reply.
    pub n_reply: u32,
    /// Seconds to read the prompt.
    pub prompt_secs: f64,
    /// Seconds to write the reply.
    pub reply_secs: f64,
    /// Tokens the context holds now.
    pub context_used: u32,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// The model ended it.
    End,
    /// It reached `max_tokens`.
    Length,
    /// The context is full.
    ContextFull,
    /// The person stopped it.
    Stopped,
}
