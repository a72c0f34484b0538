//! The vocabulary: token ↔ text, and what kind of token each is.

use super::{Result, invalid};
use crate::gguf::{Metadata, Strings};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, RandomState};

/// A token is its place in the vocabulary; no two are written alike.
#[derive(Debug)]
pub(super) struct Vocab {
    texts: Strings,
    kinds: Vec<Kind>,
    by_text: HashTable<u32>,
    hasher: RandomState,
    text_bytes_max: usize,
}

/// GGUF's `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Made by merging.
    Normal,
    /// Stands for what has no token.
    Unknown,
    /// Structure, never shown: `<|im_end|>`.
    Control,
    /// Cut out of every text before anything merges, and shown as it is written.
    UserDefined,
    /// Means nothing.
    Unused,
    /// One byte: `<0x0A>`.
    Byte,
}

impl Vocab {
    pub(super) fn new(metadata: &Metadata) -> Result<Self> {
        let listed =
            metadata.strings("tokenizer.ggml.tokens")?.ok_or_else(|| invalid("the file has no list of tokens"))?;
        let n_vocab =
            u32::try_from(listed.len()).map_err(|_| invalid("the vocabulary is larger than 32 bits can count"))?;
        let texts = named(listed);
        let mut vocab = Self {
            kinds: kinds(metadata, texts.len())?,
            by_text: HashTable::with_capacity(texts.len()),
            hasher: RandomState::new(),
            text_bytes_max: texts.iter().map(str::len).max().unwrap_or(0),
            texts,
        };
        (0..n_vocab).try_for_each(|id| vocab.insert(id))?;
        Ok(vocab)
    }

    fn insert(&mut self, id: u32) -> Result<()> {
        let Self { texts, by_text, hasher, .. } = self;
        let text = &texts[id as usize];
        let is_same = |&other: &u32| &texts[other as usize] == text;
        match by_text.entry(hasher.hash_one(text), is_same, |&other| hasher.hash_one(&texts[other as usize])) {
            Entry::Vacant(place) => {
                place.insert(id);
                Ok(())
            }
            Entry::Occupied(twin) => Err(invalid(format!("tokens {} and {id} are both {text:?}", twin.get()))),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The token that is written like this.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        if text.len() > self.text_bytes_max {
            return None; // Keeps merging linear: a long paste is not hashed again and again.
        }
        self.by_text.find(self.hasher.hash_one(text), |&id| &self.texts[id as usize] == text).copied()
    }

    /// How a token is written.
    pub(super) fn get(&self, token: u32) -> Option<&str> {
        self.texts.get(token as usize)
    }

    pub(super) fn kind(&self, token: u32) -> Kind {
        self.kinds[token as usize]
    }

    pub(super) fn set_kind(&mut self, token: u32, kind: Kind) {
        self.kinds[token as usize] = kind;
    }

    /// Every token, its text and kind.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &str, Kind)> {
        (0..).zip(self.texts.iter()).zip(&self.kinds).map(|((id, text), &kind)| (id, text, kind))
    }

    /// The token that the metadata names by number under `key`; none if there is no such token, as in llama.cpp. Some
    /// converters write −1 for none.
    pub(super) fn named(&self, metadata: &Metadata, key: &str) -> Result<Option<u32>> {
        Ok(metadata.u32(key)?.and_then(|id| self.existing(id)))
    }

    pub(super) fn existing(&self, id: u32) -> Option<u32> {
        ((id as usize) < self.len()).then_some(id)
    }
}

/// A token without a text gets one that nothing else has.
fn named(listed: &Strings) -> Strings {
    if listed.iter().all(|text| !text.is_empty()) {
        return listed.clone();
    }
    let name = |(id, text): (usize, &str)| if text.is_empty() { format!("[EMPTY_{id}]") } else { text.to_string() };
    listed.iter().enumerate().map(name).collect()
}

fn kinds(metadata: &Metadata, n_vocab: usize) -> Result<Vec<Kind>> {
    let Some(numbers) = metadata.u32s("tokenizer.ggml.token_type")? else { return Ok(vec![Kind::Normal; n_vocab]) };
    if numbers.len() < n_vocab {
        return Err(invalid(format!("{n_vocab} tokens have only {} types", numbers.len())));
    }
    let kind = |&number: &u32| match number {
        1 => Kind::Normal,
        2 => Kind::Unknown,
        3 => Kind::Control,
        4 => Kind::UserDefined,
        6 => Kind::Byte,
        _ => Kind::Unused,
    };
    Ok(numbers[..n_vocab].iter().map(kind).collect())
}
