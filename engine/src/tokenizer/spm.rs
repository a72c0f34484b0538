//! SentencePiece's BPE: spaces are ▁, the whole text is one word, and the pair with the best score merges first.
//!
//! A character that is in no token becomes the tokens of its bytes, `<0xE2>` and so on.

use super::merge::{merge, symbols};
use super::vocab::{Kind, Vocab};
use super::{Result, invalid};
use crate::gguf::Metadata;

const SPACE: &str = "▁";

/// What the algorithm knows beside the vocabulary.
#[derive(Debug)]
pub(super) struct Spm {
    /// Of each token; the greater, the sooner it merges.
    scores: Vec<Score>,
    /// The token of each byte, else of what is unknown.
    bytes: Vec<Option<u32>>,
}

/// An `f32` as an integer of the same order, so that it can be compared whatever the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score(i32);

impl From<f32> for Score {
    fn from(score: f32) -> Self {
        let bits = (score + 0.0).to_bits().cast_signed(); // −0 is 0.
        Self(if bits < 0 { bits ^ i32::MAX } else { bits })
    }
}

impl Spm {
    pub(super) fn new(metadata: &Metadata, vocab: &Vocab) -> Result<Self> {
        if let Some((_, text, _)) =
            vocab.iter().find(|(_, text, kind)| *kind == Kind::Byte && byte_named(text).is_none())
        {
            return Err(invalid(format!("the token {text:?} says it is a byte, but not which")));
        }
        let unknown = vocab.named(metadata, "tokenizer.ggml.unknown_token_id")?.or(vocab.existing(0));
        let byte = |byte: u8| vocab.id(&format!("<0x{byte:02X}>")).or(unknown);
        Ok(Self { scores: scores(metadata, vocab.len())?, bytes: (0..=255).map(byte).collect() })
    }

    pub(super) fn encode(&self, vocab: &Vocab, text: &str, space_prefix: bool, tokens: &mut Vec<u32>) {
        let mut text = text.replace(' ', SPACE);
        if space_prefix {
            text.insert_str(0, SPACE);
        }
        let characters = symbols(text.char_indices().map(|(start, character)| {
            let len = character.len_utf8();
            (len, vocab.id(&text[start..start + len]))
        }));
        let merged = merge(characters, |left, right| {
            let token = vocab.id(&text[left.start..right.start + right.len])?;
            Some((self.scores[token as usize], token))
        });
        for symbol in merged {
            match symbol.token {
                Some(token) => tokens.push(token),
                None => {
                    let bytes = text[symbol.start..symbol.start + symbol.len].bytes();
                    tokens.extend(bytes.filter_map(|byte| self.bytes[usize::from(byte)]));
                }
            }
        }
    }
}

fn scores(metadata: &Metadata, n_vocab: usize) -> Result<Vec<Score>> {
    match metadata.f32s("tokenizer.ggml.scores")? {
        None => Ok(vec![Score(0); n_vocab]),
        Some(scores) if scores.len() < n_vocab => {
            Err(invalid(format!("{n_vocab} tokens have only {} scores", scores.len())))
        }
        Some(scores) => Ok(scores[..n_vocab].iter().map(|&score| score.into()).collect()),
    }
}

/// Appends the bytes of a token's text, ▁ being a space.
pub(super) fn bytes(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend(text.replace(SPACE, " ").bytes());
}

/// The byte that a token is, if it is written `<0x0A>`.
pub(super) fn byte_named(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_their_order() {
        let sorted = [f32::NEG_INFINITY, -1000.0, -1.5, -1e-40, 0.0, 1e-40, 2.0, f32::INFINITY];
        assert!(sorted.map(Score::from).is_sorted_by(|a, b| a < b));
        assert_eq!(Score::from(-0.0), Score::from(0.0));
    }
}
