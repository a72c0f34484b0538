//! Byte-level BPE, GPT-2's: a pattern splits the text into words, each byte is a letter, and letters merge by rank.
//!
//! The vocabulary is text, so every byte is written as a letter that prints: itself if it does, else the next one from Ā on.
//! A space is Ġ, a newline Ċ.

use super::merge::{merge, symbols};
use super::pretokenizer::Pretokenizer;
use super::vocab::Vocab;
use super::{Result, invalid};
use crate::gguf::Metadata;
use std::cmp::Reverse;
use std::collections::HashMap;

/// What the algorithm knows beside the vocabulary.
#[derive(Debug)]
pub(super) struct Bpe {
    pretokenizer: Pretokenizer,
    /// (left, right) → its place in the list of merges, and the token it makes.
    merges: HashMap<(u32, u32), (u32, u32)>,
    /// The token of each byte.
    letters: Vec<Option<u32>>,
}

impl Bpe {
    /// Also says whether the pre-tokenizer's models want a token at the start of a text.
    pub(super) fn new(metadata: &Metadata, vocab: &Vocab) -> Result<(Self, bool)> {
        let pretokenizer = Pretokenizer::new(metadata.str("tokenizer.ggml.pre")?)?;
        let add_bos = pretokenizer.add_bos;
        let letters = (0..=255).map(|byte| vocab.id(letter(byte).encode_utf8(&mut [0; 4]))).collect();
        Ok((Self { pretokenizer, merges: merges(metadata, vocab)?, letters }, add_bos))
    }

    pub(super) fn encode(&self, vocab: &Vocab, text: &str, tokens: &mut Vec<u32>) {
        for word in self.pretokenizer.split(text) {
            match self.whole(vocab, word) {
                Some(token) => tokens.push(token),
                None => self.encode_word(word, tokens),
            }
        }
    }

    /// Some models take a word that is a token as it is, whatever the merges would make of it.
    fn whole(&self, vocab: &Vocab, word: &str) -> Option<u32> {
        if !self.pretokenizer.ignore_merges {
            return None;
        }
        let spelled: String = word.bytes().map(letter).collect();
        vocab.id(&spelled)
    }

    /// A byte that the vocabulary lacks is left out, as in llama.cpp.
    fn encode_word(&self, word: &str, tokens: &mut Vec<u32>) {
        let letters = symbols(word.bytes().map(|byte| (1, self.letters[usize::from(byte)])));
        let merged = merge(letters, |left, right| {
            let &(rank, token) = self.merges.get(&(left.token?, right.token?))?;
            Some((Reverse(rank), token))
        });
        tokens.extend(merged.filter_map(|symbol| symbol.token));
    }
}

fn merges(metadata: &Metadata, vocab: &Vocab) -> Result<HashMap<(u32, u32), (u32, u32)>> {
    let listed = metadata.strings("tokenizer.ggml.merges")?.ok_or_else(|| invalid("the file has no list of merges"))?;
    let mut merges = HashMap::with_capacity(listed.len());
    let mut joined = String::new();
    for (rank, pair) in (0..).zip(listed.iter()) {
        // A merge that is not of two tokens that make a third is never used, as in llama.cpp.
        let Some((left, right)) = split_pair(pair) else { continue };
        joined.clear();
        joined.extend([left, right]);
        if let (Some(left), Some(right), Some(token)) = (vocab.id(left), vocab.id(right), vocab.id(&joined)) {
            merges.entry((left, right)).or_insert((rank, token));
        }
    }
    Ok(merges)
}

/// Splits at the first space that is not the first letter.
fn split_pair(pair: &str) -> Option<(&str, &str)> {
    let first_len = pair.chars().next()?.len_utf8();
    let at = first_len + pair[first_len..].find(' ')?;
    Some((&pair[..at], &pair[at + 1..]))
}

/// Appends the bytes that a token's letters stand for. What is no such letter stands for itself.
pub(super) fn bytes(text: &str, bytes: &mut Vec<u8>) {
    for letter in text.chars() {
        match byte(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

/// The letter that stands for a byte.
fn letter(byte: u8) -> char {
    let shifted = match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => return char::from(byte),
        0x00..=0x20 => u32::from(byte),
        0x7f..=0xa0 => u32::from(byte) - 0x7f + 0x21,
        0xad => 0x43,
    };
    char::from_u32(0x100 + shifted).expect("U+0100 to U+0143 are letters")
}

/// The byte that a letter stands for.
fn byte(letter: char) -> Option<u8> {
    match u32::from(letter) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_bytes_are_inverse() {
        for value in 0..=255 {
            assert_eq!(byte(letter(value)), Some(value));
        }
        assert_eq!([b' ', b'\n', b'a', 0xff].map(letter), ['Ġ', 'Ċ', 'a', 'ÿ']);
    }
}
