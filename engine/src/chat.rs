//! Messages in, a prompt out; and the model's reply taken apart again.
//!
//! A chat model is trained with one exact spelling of a conversation. The file carries it as a Jinja template, which
//! comes from a stranger: it runs with limits, and all it can do is print or fail.

mod fallback;
mod guard;
mod jinja;
mod python;
mod spans;
mod strftime;
#[cfg(test)]
mod tests;

pub use spans::{Piece, Spans};
pub use strftime::Now;

use crate::error::Result;
use crate::gguf::Metadata;
use crate::protocol::{Message, Role};
use crate::tokenizer::Tokenizer;
use guard::Guarded;
use minijinja::Value;

/// How the templates of well-known models end a turn.
const END_MARKERS: [&str; 5] = ["<|im_end|>", "<end_of_turn>", "<|eot_id|>", "<|end|>", "<|end_of_text|>"];

/// How a model wants a conversation to be written.
pub struct Template {
    guarded: Guarded,
    bos: String,
    eos: String,
    can_think: bool,
    fallback_name: Option<&'static str>,
}

/// What a template is told besides the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// End with the words that open the model's turn.
    pub add_generation_prompt: bool,
    /// Whether the model should think first, if it can.
    pub thinking: bool,
    /// The time, for templates that tell the model the date.
    pub now: Now,
}

impl Template {
    /// The model's own template, or the [fallback](Self::fallback_name) that its vocabulary suggests.
    pub fn new(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<Self> {
        let text = |token: Option<u32>| token.map(|token| tokenizer.text(token)).unwrap_or_default();
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        match own_source(metadata)? {
            Some(source) => Self::from_source(source, bos, eos),
            None => {
                let (name, source) = fallback::choose(|text| tokenizer.token(text).is_some());
                Ok(Self { fallback_name: Some(name), ..Self::from_source(source, bos, eos)? })
            }
        }
    }

    /// A template given as Jinja. An error if it cannot be compiled.
    pub fn from_source(source: &str, bos: &str, eos: &str) -> Result<Self> {
        let guarded = guard::guard(source)?;
        let env = jinja::environment();
        let compiled = env.template_from_str(&guarded.source).map_err(|e| jinja::error(&e))?;
        let asked = compiled.undeclared_variables(false);
        let can_think = source.contains("<think>") || asked.contains("enable_thinking") || asked.contains("thinking");
        Ok(Self { guarded, bos: bos.into(), eos: eos.into(), can_think, fallback_name: None })
    }

    /// Whether the template can switch thinking on and off, or writes thoughts at all.
    pub fn can_think(&self) -> bool {
        self.can_think
    }

    /// If the model has no template: the name of the one used instead.
    pub fn fallback_name(&self) -> Option<&str> {
        self.fallback_name
    }

    /// The end markers that the template writes, but that are no tokens of the vocabulary: the model spells them.
    pub fn stops(&self, tokenizer: &Tokenizer) -> Vec<String> {
        let spelt = |stop: &&&str| self.guarded.source.contains(**stop) && tokenizer.token(stop).is_none();
        END_MARKERS.iter().filter(spelt).map(|stop| (*stop).to_string()).collect()
    }

    /// Writes the conversation as the model wants it.
    ///
    /// Many templates know no system prompt, and either refuse it or leave it out; some refuse two messages of the same
    /// role in a row. Then the conversation is written once more in a form that every template takes: the system prompt
    /// as the beginning of the first message of the person, and neighbours of the same role as one message.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        let plain = plain(messages);
        match self.render_as_it_is(messages, options) {
            Ok(prompt) if has_system_prompt(messages, &prompt) => Ok(prompt),
            Err(error) if plain == messages => Err(error),
            // If that does not help, what was said at first is what the person should read.
            first => self.render_as_it_is(&plain, options).or(first),
        }
    }

    /// What the template makes of exactly these messages.
    pub fn render_as_it_is(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        let message = |message: &Message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            Value::from_iter([("role", role), ("content", &message.content)])
        };
        let values = [
            ("messages", messages.iter().map(message).collect::<Value>()),
            // `transformers` passes these, so templates may compare them with `none`.
            ("tools", ().into()),
            ("documents", ().into()),
            ("add_generation_prompt", options.add_generation_prompt.into()),
            ("bos_token", Value::from(self.bos.as_str())),
            ("eos_token", Value::from(self.eos.as_str())),
            // Qwen's name for it, and Granite's.
            ("enable_thinking", options.thinking.into()),
            ("thinking", options.thinking.into()),
        ];
        let inputs = jinja::Inputs {
            values: Value::from_iter(values),
            n_messages: messages.len(),
            n_bytes: messages.iter().map(|message| message.content.len()).sum(),
            now: options.now,
        };
        jinja::render(&self.guarded.source, self.guarded.longest_text_bytes, inputs)
    }
}

/// The file's template; of several, the one without a name, else the first for plain conversations.
fn own_source(metadata: &Metadata) -> Result<Option<&str>> {
    const KEY: &str = "tokenizer.chat_template";
    if let Some(source) = metadata.str(KEY)? {
        return Ok(Some(source));
    }
    let Some(names) = metadata.strings("tokenizer.chat_templates")? else { return Ok(None) };
    let name = names.iter().find(|name| !name.contains("tool") && !name.contains("rag")).or(names.get(0));
    name.map_or(Ok(None), |name| metadata.str(&format!("{KEY}.{name}")))
}

fn has_system_prompt(messages: &[Message], prompt: &str) -> bool {
    let mut system = messages.iter().filter(|message| message.role == Role::System);
    system.all(|message| prompt.contains(message.content.trim()))
}

/// The same conversation between two, each in their turn, the person first.
fn plain(messages: &[Message]) -> Vec<Message> {
    let mut plain: Vec<Message> = Vec::new();
    for message in messages {
        let role = match message.role {
            Role::System | Role::User => Role::User,
            Role::Assistant => Role::Assistant,
        };
        match plain.last_mut() {
            Some(last) if last.role == role => {
                last.content.push_str("\n\n");
                last.content.push_str(&message.content);
            }
            _ => plain.push(Message { role, content: message.content.clone() }),
        }
    }
    plain
}
