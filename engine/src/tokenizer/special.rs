//! Special tokens are found in a text before anything merges.
//!
//! llama.cpp looks for each of them in turn, longest first, in what the longer ones left over. Gemma has 6,414, so here one
//! pass serves all of a length: at each place that starts like one of them, the vocabulary is asked.

use super::vocab::{Kind, Vocab};

/// Where to look.
#[derive(Debug)]
pub(super) struct Specials {
    /// Longest first.
    lengths: Vec<Length>,
}

/// Special tokens of one length.
#[derive(Debug)]
struct Length {
    bytes: usize,
    /// Whether any of them starts with this byte.
    first: [bool; 256],
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A special token stood here.
    Token(u32),
    /// Something else, not empty.
    Text(&'a str),
}

impl Specials {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut lengths: Vec<Length> = Vec::new();
        for (_, text, _) in vocab.iter().filter(|(_, _, kind)| is_special(*kind, true)) {
            let place = lengths.binary_search_by(|length| text.len().cmp(&length.bytes)).unwrap_or_else(|place| {
                lengths.insert(place, Length { bytes: text.len(), first: [false; 256] });
                place
            });
            lengths[place].first[usize::from(text.as_bytes()[0])] = true;
        }
        Self { lengths }
    }

    /// Cuts `text` at its special tokens: at those of kind [`Kind::UserDefined`] always, at the others if `parse`.
    pub(super) fn split<'a>(&self, vocab: &Vocab, text: &'a str, parse: bool) -> Vec<Piece<'a>> {
        let mut pieces: Vec<Piece<'a>> =
            Some(text).filter(|text| !text.is_empty()).map(Piece::Text).into_iter().collect();
        for length in &self.lengths {
            pieces = pieces.into_iter().fold(Vec::new(), |mut pieces, piece| {
                match piece {
                    Piece::Token(_) => pieces.push(piece),
                    Piece::Text(text) => length.split(vocab, text, parse, &mut pieces),
                }
                pieces
            });
        }
        pieces
    }
}

impl Length {
    fn split<'a>(&self, vocab: &Vocab, text: &'a str, parse: bool, pieces: &mut Vec<Piece<'a>>) {
        let (mut done, mut at) = (0, 0);
        while at + self.bytes <= text.len() {
            match self.token_at(vocab, text, at, parse) {
                Some(token) => {
                    pieces.extend(Some(&text[done..at]).filter(|text| !text.is_empty()).map(Piece::Text));
                    pieces.push(Piece::Token(token));
                    at += self.bytes;
                    done = at;
                }
                None => at += 1,
            }
        }
        pieces.extend(Some(&text[done..]).filter(|text| !text.is_empty()).map(Piece::Text));
    }

    fn token_at(&self, vocab: &Vocab, text: &str, at: usize, parse: bool) -> Option<u32> {
        if !self.first[usize::from(text.as_bytes()[at])] {
            return None;
        }
        let token = vocab.id(text.get(at..at + self.bytes)?)?;
        is_special(vocab.kind(token), parse).then_some(token)
    }
}

fn is_special(kind: Kind, parse: bool) -> bool {
    match kind {
        Kind::UserDefined => true,
        Kind::Control | Kind::Unknown => parse,
        Kind::Normal | Kind::Unused | Kind::Byte => false,
    }
}
