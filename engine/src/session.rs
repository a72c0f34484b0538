//! One conversation in progress: the messages go in again every turn, and only what is new is computed.
//!
//! ```text
//! start   messages → prompt → tokens, and how many of them the backend still holds
//! step    prompt tokens, a chunk at a time … then one token of the reply at a time … then how it ended
//! ```
//!
//! What the backend holds, it says itself, after every step, error and stop. Where its memory cannot be cut everywhere, checkpoints
//! stand after the system prompt and at the end of every prompt: a new conversation and the next turn diverge there.

mod bench;
mod window;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "they are small numbers")]
mod tests;

pub use bench::BenchStep;

use crate::backend::Backend;
use crate::chat::{Now, Piece, RenderOptions, Spans, Template};
use crate::error::Result;
use crate::gguf::Gguf;
use crate::model::Model;
use crate::plan::{Batch, Outputs, Snapshot};
use crate::protocol::{Finish, GenerateOptions, Message, Role};
use crate::sampler::Sampler;
use crate::tokenizer::{Decoder, Tokenizer};
use bench::Bench;
use std::collections::VecDeque;

/// Prompt tokens of one step: few enough that a stop is soon seen, enough for a matrix product to be worth it.
pub(crate) const CHUNK_TOKENS: usize = 128;

/// A model, what it remembers, and the reply it is writing.
pub struct Session {
    tokenizer: Tokenizer,
    template: Template,
    model: Model,
    backend: Backend,
    chunk_tokens: usize,
    /// The oldest messages of the conversation, which no longer fit.
    left_out: Vec<Message>,
    reply: Option<Reply>,
    bench: Option<Bench>,
}

/// A reply in progress.
struct Reply {
    /// Prompt and reply. The backend holds a prefix of it.
    tokens: Vec<u32>,
    n_prompt: usize,
    n_cached: usize,
    n_max: usize,
    /// Where the prompt is read up to, to make a checkpoint; in order.
    checkpoints: Vec<usize>,
    sampler: Sampler,
    /// The token after these, once it is sampled.
    next: Option<u32>,
    decoder: Decoder,
    spans: Spans,
    /// Text that is ready, oldest first.
    pieces: VecDeque<Piece>,
    finish: Option<Finish>,
}

/// What [`Session::start`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Tokens of the prompt.
    pub n_prompt: usize,
    /// Of these, tokens that the backend still held.
    pub n_cached: usize,
    /// Messages at the beginning of the conversation that did not fit into the context and were left out.
    pub n_dropped: usize,
}

/// What [`Session::step`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Read a part of the prompt.
    Prompt {
        /// Tokens read in this turn.
        done: usize,
        /// Tokens this turn has to read.
        total: usize,
    },
    /// Sampled a token, or found more text in the one before.
    Text {
        /// Whole characters; empty while a token is only the start of one, or may be the start of a marker.
        text: String,
        /// Part of the model's thoughts, not of its answer.
        thought: bool,
    },
    /// The reply is complete, and the next step needs a new start.
    Done(Finish),
}

impl Session {
    /// A session that has read nothing.
    ///
    /// # Errors
    /// What is wrong with the tokenizer or the chat template of the file.
    pub fn new(gguf: &Gguf, model: Model, backend: Backend) -> Result<Self> {
        let tokenizer = Tokenizer::new(&gguf.metadata)?;
        let template = Template::new(&gguf.metadata, &tokenizer)?;
        Ok(Self {
            tokenizer,
            template,
            model,
            backend,
            chunk_tokens: CHUNK_TOKENS,
            left_out: Vec::new(),
            reply: None,
            bench: None,
        })
    }

    /// The same session, reading at most `chunk_tokens` tokens of a prompt in one step.
    pub fn with_chunk_tokens(self, chunk_tokens: usize) -> Self {
        assert!(chunk_tokens > 0, "a step must read something");
        Self { chunk_tokens, ..self }
    }

    /// The chat template.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Where the model runs.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Tokens that the context holds now.
    pub fn n_used(&self) -> usize {
        self.backend.tokens().len()
    }

    /// Tokens that the reply in progress has so far.
    pub fn n_reply(&self) -> usize {
        self.reply.as_ref().map_or(0, |reply| reply.tokens.len() - reply.n_prompt)
    }

    /// Begins the reply to a conversation; one that is in progress is given up. Nothing is computed yet.
    ///
    /// # Errors
    /// `Template` if the conversation cannot be written as the model wants it, `ContextFull` if the last message alone is
    /// too long. What the backend holds stays as it is.
    pub fn start(&mut self, options: &GenerateOptions, seed: u64, now: Now) -> Result<Start> {
        self.reply = None;
        self.bench = None;
        let render = RenderOptions { add_generation_prompt: true, thinking: options.thinking, now };
        let n_max = if options.max_tokens == 0 { usize::MAX } else { options.max_tokens as usize };
        // A system prompt that says nothing would take the place of the model's own.
        let is_said = |m: &&Message| m.role != Role::System || !m.content.trim().is_empty();
        let as_text = |m: &Message| Message { content: self.tokenizer.as_text(&m.content), ..m.clone() };
        let messages: Vec<Message> = options.messages.iter().filter(is_said).map(as_text).collect();
        let prompt = self.fit(&messages, &render, n_max)?;

        let n_dropped = prompt.n_left_out;
        self.left_out = prompt.left_out;
        let n_prompt = prompt.tokens.len();
        // The last token is read again even if it is held: its logits are not.
        let n_cached = self.backend.rewind(common_prefix(self.backend.tokens(), &prompt.tokens).min(n_prompt - 1));
        let checkpoints = if self.backend.needs_checkpoints() {
            vec![self.system_end(&messages, &render, &prompt.tokens).min(n_prompt - 1), n_prompt - 1]
        } else {
            Vec::new()
        };
        let mut sampler = Sampler::new(&options.sampling, seed).limited(self.tokenizer.end_tokens(), n_max);
        prompt.tokens.iter().for_each(|&token| sampler.accept(token));
        self.reply = Some(Reply {
            n_prompt,
            n_cached,
            n_max,
            checkpoints,
            sampler,
            next: None,
            decoder: self.tokenizer.decoder(),
            spans: Spans::new(&prompt.text, self.template.stops().map(str::to_owned).collect()),
            tokens: prompt.tokens,
            pieces: VecDeque::new(),
            finish: None,
        });
        Ok(Start { n_prompt, n_cached, n_dropped })
    }

    /// Goes on with the reply by one chunk of the prompt, or by one token.
    ///
    /// # Errors
    /// As the backend. The reply is given up, unless the backend [is lost](Backend::is_lost).
    ///
    /// # Panics
    /// Without a [start](Self::start), or after the reply is complete.
    pub async fn step(&mut self) -> Result<Step> {
        // Taken out meanwhile: an error gives the reply up, and so does a caller who stops waiting.
        let mut reply = self.reply.take().expect("a step follows a start");
        if let Some(Piece { text, thought }) = reply.pieces.pop_front() {
            self.reply = Some(reply);
            return Ok(Step::Text { text, thought });
        }
        if let Some(finish) = reply.finish {
            return Ok(Step::Done(finish));
        }

        let is_prompt = self.backend.tokens().len() < reply.n_prompt;
        if reply.next.is_none() {
            reply.next = match self.read(&mut reply).await {
                Ok(next) => next,
                Err(error) => {
                    // What a lost device has written is not lost: see `move_to`.
                    self.reply = self.backend.is_lost().then_some(reply);
                    return Err(error);
                }
            };
        }
        let step = match reply.next {
            Some(token) if !is_prompt => {
                reply.next = None;
                reply.push(token, &self.tokenizer, self.backend.n_ctx());
                let Piece { text, thought } =
                    reply.pieces.pop_front().unwrap_or(Piece { text: String::new(), thought: false });
                Step::Text { text, thought }
            }
            Some(_) | None => Step::Prompt {
                done: self.backend.tokens().len() - reply.n_cached,
                total: reply.tokens.len() - reply.n_cached,
            },
        };
        self.reply = Some(reply);
        Ok(step)
    }

    /// Goes on somewhere else, which holds nothing: the reply in progress is read again, and then written on. False if
    /// there is no room for it.
    pub fn move_to(&mut self, backend: Backend) -> bool {
        if self.reply.as_ref().is_some_and(|reply| reply.tokens.len() > backend.n_ctx()) {
            return false;
        }
        self.backend = backend;
        self.backend.rewind(0);
        self.bench = None;
        if let Some(reply) = &mut self.reply {
            reply.n_cached = 0;
        }
        true
    }

    /// What the backend holds, as bytes: see [`Self::restore`].
    ///
    /// # Errors
    /// As the backend.
    pub async fn save(&mut self) -> Result<Vec<u8>> {
        Ok(self.backend.save().await?.to_bytes())
    }

    /// Holds what another session of the same model held; a reply in progress is given up. A conversation that begins alike is then
    /// read from there on.
    ///
    /// # Errors
    /// `Invalid` if the bytes are of something else, or damaged: then nothing is held.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        (self.reply, self.bench) = (None, None);
        self.backend.restore(&Snapshot::parse(bytes)?)
    }

    /// Gives its backend away.
    pub fn into_backend(self) -> Backend {
        self.backend
    }

    /// Reads one chunk of what the backend does not hold yet; says which token comes next, if that was all.
    async fn read(&mut self, reply: &mut Reply) -> Result<Option<u32>> {
        let start = self.backend.tokens().len();
        let checkpoint = reply.checkpoints.iter().find(|n| **n > start);
        let end = checkpoint.map_or(reply.tokens.len(), |n| *n).min(start + self.chunk_tokens);
        let chunk = &reply.tokens[start..end];
        if end == reply.tokens.len() {
            return Ok(Some(self.backend.next(chunk, &mut reply.sampler).await?));
        }
        self.backend.forward(&Batch { tokens: chunk, outputs: Outputs::None }).await?;
        if checkpoint == Some(&end) {
            self.backend.checkpoint();
        }
        Ok(None)
    }

    /// Ends the reply in progress: the next steps give the text that is ready, then [`Finish::Stopped`].
    pub fn stop(&mut self) {
        if let Some(reply) = &mut self.reply {
            reply.end(Finish::Stopped);
        }
    }
}

impl Reply {
    /// Takes the next token, and finds out what it says and whether it is the last one.
    fn push(&mut self, token: u32, tokenizer: &Tokenizer, n_ctx: usize) {
        if tokenizer.is_end(token) {
            return self.end(Finish::End);
        }
        self.sampler.accept(token);
        self.tokens.push(token);
        let mut text = self.decoder.push(tokenizer, token);
        if text.is_empty() && self.spans.is_marker(tokenizer.text(token)) {
            text.push_str(tokenizer.text(token));
        }
        self.pieces.extend(self.spans.push(&text));
        if self.spans.stopped() {
            self.end(Finish::End);
        } else if self.tokens.len() - self.n_prompt == self.n_max {
            self.end(Finish::Length);
        } else if self.tokens.len() > n_ctx {
            self.end(Finish::ContextFull);
        }
    }

    /// Half a character at the end is not shown.
    fn end(&mut self, finish: Finish) {
        if self.finish.is_none() {
            self.pieces.extend(self.spans.finish());
            self.finish = Some(finish);
        }
    }
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
