//! Which tokens end a reply.
//!
//! Files name one or two, and not always the right ones; so llama.cpp, and this, also goes by how tokens are written.

use super::Result;
use super::vocab::{Kind, Vocab};
use crate::gguf::Metadata;

/// The tokens that end a reply, in order.
#[derive(Debug)]
pub(super) struct Ends(Vec<u32>);

/// Written like this, a token ends a turn or a text, whatever the file says.
const TEXTS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Code models pad, and separate files, with tokens that end a reply too: their keys, and how they are written.
const CODE: &[(&str, &[&str])] = &[
    ("tokenizer.ggml.fim_pad_token_id", &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
    ("tokenizer.ggml.fim_rep_token_id", &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
    ("tokenizer.ggml.fim_sep_token_id", &["<|file_sep|>"]),
];

impl Ends {
    /// Also makes control tokens of those that are written like one, because some files do not say it.
    pub(super) fn new(metadata: &Metadata, vocab: &mut Vocab, eos: Option<u32>) -> Result<Self> {
        let mut ends: Vec<u32> = TEXTS.iter().filter_map(|text| vocab.id(text)).collect();
        let mut by_name = eos.into_iter().collect::<Vec<u32>>();
        for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
            by_name.extend(vocab.named(metadata, key)?);
        }
        for (key, texts) in CODE {
            match vocab.named(metadata, key)? {
                Some(token) => by_name.push(token),
                None => ends.extend(texts.iter().find_map(|text| vocab.id(text))),
            }
        }
        ends.iter().for_each(|&token| vocab.set_kind(token, Kind::Control));
        ends.append(&mut by_name);
        ends.sort_unstable();
        ends.dedup();
        Ok(Self(ends))
    }

    pub(super) fn tokens(&self) -> &[u32] {
        &self.0
    }

    pub(super) fn contains(&self, token: u32) -> bool {
        self.0.binary_search(&token).is_ok()
    }
}
