//! Messages in, a prompt out; and the model's reply taken apart again.
//!
//! A chat model is trained with one exact spelling of a conversation. The file carries it as a Jinja template, which
//! comes from a stranger: it runs with limits, and all it can do is print or fail.

mod builtins;
mod fallback;
mod guard;
mod jinja;
mod methods;
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

/// A word that no template has.
const PROBE: &str = "Quixotic9";
/// A template that writes the first words of a message writes all of it.
const WORDS_LOOKED_FOR: usize = 16;
/// What is shorter is punctuation.
const END_MARKER_CHARS_MIN: usize = 3;

/// How a model wants a conversation to be written.
pub struct Template {
    guarded: Guarded,
    bos: String,
    eos: String,
    can_think: bool,
    fallback_name: Option<&'static str>,
    /// What stands behind a reply.
    end_marker: Option<String>,
}

/// How a template is given what a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// As text.
    Text,
    /// As a list of parts of which one is text, for templates of models that see pictures.
    Parts,
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
    /// The model's own template, or the [fallback](Self::fallback_name) that its vocabulary suggests: where it has none, where
    /// its own cannot be compiled, and where its own does not write what is said.
    pub fn new(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<Self> {
        let text = |token: Option<u32>| token.map(|token| tokenizer.text(token)).unwrap_or_default();
        let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
        let own = own_source(metadata)?.and_then(|source| Self::from_source(source, bos, eos).ok());
        if let Some(own) = own
            && own.writes_what_is_said()
        {
            return Ok(own);
        }
        let (name, source) = fallback::choose(|text| tokenizer.token(text).is_some());
        Ok(Self { fallback_name: Some(name), ..Self::from_source(source, bos, eos)? })
    }

    /// A template given as Jinja. An error if it cannot be compiled.
    pub fn from_source(source: &str, bos: &str, eos: &str) -> Result<Self> {
        // Jinja reads every kind of line break as one.
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        let guarded = guard::guard(&source)?;
        let env = jinja::environment();
        let compiled = env.template_from_str(&guarded.source).map_err(|e| jinja::error(&e))?;
        let asked = compiled.undeclared_variables(false);
        let can_think = source.contains("<think>") || asked.contains("enable_thinking") || asked.contains("thinking");
        let template =
            Self { guarded, bos: bos.into(), eos: eos.into(), can_think, fallback_name: None, end_marker: None };
        Ok(Self { end_marker: template.written_after_a_reply(), ..template })
    }

    /// Whether the template can switch thinking on and off, or writes thoughts at all.
    pub fn can_think(&self) -> bool {
        self.can_think
    }

    /// If the model has no template that can be used: the name of the one used instead.
    pub fn fallback_name(&self) -> Option<&str> {
        self.fallback_name
    }

    /// What ends a reply besides the tokens that do so by themselves: the marker that the template writes behind one, whether
    /// it is a token of the vocabulary or the model spells it.
    pub fn stops(&self) -> impl Iterator<Item = &str> {
        self.end_marker.as_deref().into_iter()
    }

    /// Writes the conversation as the model wants it.
    ///
    /// Many templates know no system prompt, and either refuse it or leave it out; some refuse two messages of the same
    /// role in a row. Then the conversation is written once more in a form that every template takes: the system prompt
    /// as the beginning of the first message of the person, and neighbours of the same role as one message. Where what was
    /// said last is missing all the same, messages are given as lists of parts.
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        let as_it_is = self.render_as_it_is(messages, options);
        if let Ok(prompt) = &as_it_is
            && has_system_prompt(messages, prompt)
            && has_last_message(messages, prompt)
        {
            return as_it_is;
        }
        let plain = plain(messages);
        let plain = (plain != messages).then(|| self.render_as_it_is(&plain, options));
        if let Some(Ok(prompt)) = &plain
            && has_last_message(messages, prompt)
        {
            return Ok(prompt.clone());
        }
        if as_it_is.is_ok()
            && let Ok(prompt) = self.render_with(messages, Content::Parts, options)
            && has_last_message(messages, &prompt)
        {
            return Ok(prompt);
        }
        // What was said at first is what the person should read.
        plain.and_then(Result::ok).map_or(as_it_is, Ok)
    }

    /// Whether a short conversation is found in the prompt that is made of it; a template that refuses it says so when it is
    /// asked for the real one.
    fn writes_what_is_said(&self) -> bool {
        let messages = [Message { role: Role::User, content: PROBE.into() }];
        let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
        self.render(&messages, &options).map_or(true, |prompt| has_last_message(&messages, &prompt))
    }

    /// The marker that stands behind a reply: what follows it up to white space or the next marker.
    fn written_after_a_reply(&self) -> Option<String> {
        let said = |role, content: &str| Message { role, content: content.into() };
        let messages = [said(Role::User, "Hello"), said(Role::Assistant, PROBE)];
        let prompt = self.render_as_it_is(&messages, &RenderOptions::default()).ok()?;
        let (_, after) = prompt.rsplit_once(PROBE)?;
        let after = after.trim_start();
        after.chars().next().filter(|c| "<[{|＜".contains(*c))?;
        let end = after.char_indices().skip(1).find(|&(_, c)| c.is_whitespace() || "<[".contains(c));
        let marker = end.map_or(after, |(end, _)| &after[..end]);
        (marker.chars().count() >= END_MARKER_CHARS_MIN).then(|| marker.to_owned())
    }

    /// What the template makes of exactly these messages.
    pub fn render_as_it_is(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        self.render_with(messages, Content::Text, options)
    }

    fn render_with(&self, messages: &[Message], content: Content, options: &RenderOptions) -> Result<String> {
        let message = |message: &Message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let text = Value::from(message.content.as_str());
            let said = match content {
                Content::Text => text,
                Content::Parts => Value::from(vec![Value::from_iter([("type", Value::from("text")), ("text", text)])]),
            };
            Value::from_iter([("role", Value::from(role)), ("content", said)])
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
    if let Some(source) = metadata.str(KEY)?.filter(|source| !source.trim().is_empty()) {
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

/// Whether the prompt has the words of the last message, whatever the template does to white space between them.
fn has_last_message(messages: &[Message], prompt: &str) -> bool {
    let Some(last) = messages.last() else { return true };
    last.content.split_whitespace().take(WORDS_LOOKED_FOR).all(|word| prompt.contains(word))
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
