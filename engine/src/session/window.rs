//! What of a conversation fits into the context.
//!
//! When it gets too long, the oldest turns go; the system prompt stays, and so does the last message. Everything after
//! what went has to be computed again, so more goes at once than must: then the next turns find the cache as they left
//! it, because a beginning that was left out once stays out for as long as something must.

use super::{Session, common_prefix};
use crate::chat::RenderOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Message, Role};

/// The part of the context that is kept for the reply: one in so many, if the reply may be that long.
const REPLY_SHARE: usize = 4;
/// A last message that is too long for that may leave the reply only this many tokens.
const REPLY_TOKENS_MIN: usize = 16;

/// A conversation, as much of it as fits.
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) tokens: Vec<u32>,
    /// The oldest messages, the system prompt aside.
    pub(super) left_out: Vec<Message>,
    /// How many messages do not stand in it.
    pub(super) n_left_out: usize,
}

impl Session {
    /// Writes the conversation for a reply of at most `n_max` tokens, leaving out what does not fit.
    pub(super) fn fit(&self, messages: &[Message], options: &RenderOptions, n_max: usize) -> Result<Prompt> {
        let n_ctx = self.backend.n_ctx();
        let n_reply = n_max.min(n_ctx / REPLY_SHARE);
        let room = n_ctx - n_reply;
        let n_system = messages.iter().take_while(|message| message.role == Role::System).count();
        let (system, turns) = messages.split_at(n_system);
        let all = self.write(system, turns, 0, options)?;
        if all.tokens.len() <= room {
            return Ok(all);
        }

        // What could never be answered because it alone is too long stays out of every later prompt.
        let Some((last, earlier)) = turns.split_last() else { return Err(too_long(all.tokens.len(), n_ctx)) };
        let fits = |message: &&Message| self.tokenizer.encode_prompt(&message.content).len() <= room;
        let turns: Vec<Message> = earlier.iter().filter(fits).chain([last]).cloned().collect();
        let n_too_long = earlier.len() + 1 - turns.len();
        let prompt = self.fit_turns(system, &turns, options, room, n_reply)?;
        Ok(Prompt { n_left_out: prompt.left_out.len() + n_too_long, ..prompt })
    }

    /// The same of turns each of which fits alone.
    fn fit_turns(
        &self,
        system: &[Message],
        turns: &[Message],
        options: &RenderOptions,
        room: usize,
        n_reply: usize,
    ) -> Result<Prompt> {
        let n_ctx = self.backend.n_ctx();
        let from = |first: usize| self.write(system, turns, first, options);
        let mut stays_out = 0;
        let mut all = from(0)?;
        if all.tokens.len() > room && !self.left_out.is_empty() && turns.starts_with(&self.left_out) {
            stays_out = self.left_out.len();
            all = from(stays_out)?;
        }
        if all.tokens.len() <= room {
            return Ok(all);
        }

        // The fewest turns that leave a quarter of the room free; a shorter conversation has fewer tokens.
        let firsts: Vec<usize> = (stays_out + 1..turns.len()).filter(|&i| starts_turn(turns, i)).collect();
        let mut shortest = all;
        let (mut low, mut high) = (0, firsts.len());
        if let Some(&last) = firsts.last() {
            shortest = from(last)?;
        }
        let mut fitting = None;
        while low < high {
            let middle = (low + high) / 2;
            let prompt = from(firsts[middle])?;
            if prompt.tokens.len() <= room / 4 * 3 {
                (high, fitting) = (middle, Some(prompt));
            } else {
                low = middle + 1;
            }
        }
        if let Some(prompt) = fitting {
            return Ok(prompt);
        }
        if shortest.tokens.len() + n_reply.min(REPLY_TOKENS_MIN) <= n_ctx {
            return Ok(shortest);
        }
        Err(too_long(shortest.tokens.len(), n_ctx))
    }

    /// Tokens that this prompt has in common with one of the same system prompt and another question: a new conversation that
    /// diverges there finds a checkpoint.
    pub(super) fn system_end(&self, messages: &[Message], options: &RenderOptions, tokens: &[u32]) -> usize {
        /// Begins unlike what people write.
        const OTHER_QUESTION: &str = "\u{2042}";
        let n_system = messages.iter().take_while(|message| message.role == Role::System).count();
        let question = Message { role: Role::User, content: OTHER_QUESTION.to_owned() };
        let other = (n_system > 0).then(|| self.write(&messages[..n_system], &[question], 0, options));
        // A template that refuses a conversation of one question has no system prompt to come back to.
        other.and_then(Result::ok).map_or(0, |other| common_prefix(&other.tokens, tokens))
    }

    fn write(&self, system: &[Message], turns: &[Message], first: usize, options: &RenderOptions) -> Result<Prompt> {
        let text = self.template.render(&[system, &turns[first..]].concat(), options)?;
        let tokens = self.tokenizer.encode_prompt(&text);
        if tokens.is_empty() {
            return Err(Error::new(ErrorKind::Template, "The model's chat template makes an empty prompt."));
        }
        Ok(Prompt { text, tokens, left_out: turns[..first].to_vec(), n_left_out: first })
    }
}

/// Whether a conversation can begin with message `i`: one of the person's that follows no other of theirs, unless it is the
/// last one, which is answered whatever stood before.
fn starts_turn(turns: &[Message], i: usize) -> bool {
    turns[i].role == Role::User && (turns[i - 1].role != Role::User || i == turns.len() - 1)
}

fn too_long(n_tokens: usize, n_ctx: usize) -> Error {
    let message = format!(
        "The message is too long: with what must go with it, it has {n_tokens} tokens, and the context holds {n_ctx}, \
         some of them for the reply. Shorten it, or load the model with a larger context."
    );
    Error::new(ErrorKind::ContextFull, message)
}
