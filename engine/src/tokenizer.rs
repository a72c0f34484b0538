//! Text to tokens and back, exactly as llama.cpp does it.
//!
//! ```text
//! text ── special tokens cut out ──┬─ byte-level BPE: words by pattern → letters for bytes → merges by rank
//!                                  └─ SentencePiece:  spaces as ▁ → merges by score → bytes for what is left
//! ```
//!
//! What the vocabulary is, which tokens are special and which end a reply comes from the file's `tokenizer.ggml.*` metadata.
//! `tests/it/tokenizer.rs` compares with the definition,
//! <https://github.com/ggml-org/llama.cpp/blob/00ad355e009e83abf98f96a6ded7193b95763681/src/llama-vocab.cpp>.

mod bpe;
mod decoder;
mod ends;
mod merge;
mod pattern;
mod pretokenizer;
mod special;
mod spm;
mod vocab;

pub use decoder::Decoder;

use crate::error::{Error, ErrorKind, Result};
use crate::gguf::Metadata;
use bpe::Bpe;
use ends::Ends;
use special::Specials;
use spm::Spm;
use vocab::{Kind, Vocab};

/// Stands in a special token that is meant as text. Unicode keeps this code for a program's own use, so no text has it.
pub const TEXT_MARK: char = '\u{fdd0}';

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    specials: Specials,
    ends: Ends,
    algorithm: Algorithm,
    bos: Option<u32>,
    eos: Option<u32>,
    add_bos: bool,
    add_eos: bool,
    add_space_prefix: bool,
}

#[derive(Debug)]
enum Algorithm {
    Bpe(Bpe),
    Spm(Spm),
}

/// What [`Tokenizer::encode`] makes of special tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encode {
    /// `<|im_end|>` in the text is the token of that name, not seven tokens that spell it. Off for text that is not ours.
    pub special: bool,
    /// The tokens that this model wants at a text's start and end are added.
    pub bos: bool,
}

impl Tokenizer {
    /// The tokenizer that a file's metadata describes.
    pub fn new(metadata: &Metadata) -> Result<Self> {
        let model = metadata.str("tokenizer.ggml.model")?.unwrap_or("(none)");
        let mut vocab = Vocab::new(metadata)?;
        let (algorithm, defaults) = match model {
            "gpt2" => {
                let (bpe, add_bos) = Bpe::new(metadata, &vocab)?;
                (Algorithm::Bpe(bpe), Defaults { bos: 11, eos: 11, add_bos, add_space_prefix: false })
            }
            "llama" => {
                let spm = Spm::new(metadata, &vocab)?;
                (Algorithm::Spm(spm), Defaults { bos: 1, eos: 2, add_bos: true, add_space_prefix: true })
            }
            _ => {
                return Err(unsupported(format!(
                    "the tokenizer {model:?} is not known, only \"gpt2\" (BPE) and \"llama\" (SentencePiece)"
                )));
            }
        };
        let bos = vocab.named(metadata, "tokenizer.ggml.bos_token_id")?.or(vocab.existing(defaults.bos));
        let eos = vocab.named(metadata, "tokenizer.ggml.eos_token_id")?.or(vocab.existing(defaults.eos));
        let flag = |key: &str, default| Ok::<_, Error>(metadata.bool(key)?.unwrap_or(default));
        let add_bos = flag("tokenizer.ggml.add_bos_token", defaults.add_bos)?;
        let add_eos = flag("tokenizer.ggml.add_eos_token", false)?;
        if (add_bos && bos.is_none()) || (add_eos && eos.is_none()) {
            return Err(invalid("the tokenizer wants a token at the start or end of a text, but does not say which"));
        }
        let ends = Ends::new(metadata, &mut vocab, eos)?;
        Ok(Self {
            specials: Specials::new(&vocab),
            ends,
            algorithm,
            bos,
            eos,
            add_bos,
            add_eos,
            add_space_prefix: flag("tokenizer.ggml.add_space_prefix", defaults.add_space_prefix)?,
            vocab,
        })
    }

    /// The tokens of a rendered conversation: special tokens are parsed, but for those that are [marked as text](Self::as_text).
    /// A model that wants BOS gets it once, also where the template writes it; what it wants after a text has no place here,
    /// because the model goes on.
    pub fn encode_prompt(&self, prompt: &str) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(prompt.len() / 3 + 2);
        tokens.extend(self.bos.filter(|_| self.add_bos));
        self.encode_pieces(prompt, true, &mut tokens);
        if let (Some(bos), [first, second, ..]) = (self.bos, &tokens[..])
            && bos == *first
            && bos == *second
        {
            tokens.remove(0);
        }
        tokens
    }

    /// `text` with a [mark](TEXT_MARK) in every control token that it spells, so that [`Self::encode_prompt`] reads them as text:
    /// what a person says neither ends a message nor begins one.
    pub fn as_text(&self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        for piece in self.specials.split(&self.vocab, &text.replace(TEXT_MARK, ""), true) {
            match piece {
                special::Piece::Token(token) if self.vocab.kind(token) != Kind::UserDefined => {
                    let mut chars = self.text(token).chars();
                    marked.extend(chars.next());
                    marked.push(TEXT_MARK);
                    marked.push_str(chars.as_str());
                }
                special::Piece::Token(token) => marked.push_str(self.text(token)),
                special::Piece::Text(text) => marked.push_str(text),
            }
        }
        marked
    }

    /// The tokens of `text`.
    pub fn encode(&self, text: &str, options: Encode) -> Vec<u32> {
        let mut tokens = Vec::with_capacity(text.len() / 3 + 2);
        tokens.extend(self.bos.filter(|_| options.bos && self.add_bos));
        self.encode_pieces(text, options.special, &mut tokens);
        tokens.extend(self.eos.filter(|_| options.bos && self.add_eos));
        tokens
    }

    fn encode_pieces(&self, text: &str, special: bool, tokens: &mut Vec<u32>) {
        let mut after_special = true;
        for piece in self.specials.split(&self.vocab, text, special) {
            match piece {
                special::Piece::Token(token) => tokens.push(token),
                special::Piece::Text(text) if text.contains(TEXT_MARK) => {
                    self.encode_text(&text.replace(TEXT_MARK, ""), after_special, tokens);
                }
                special::Piece::Text(text) => self.encode_text(text, after_special, tokens),
            }
            after_special = matches!(piece, special::Piece::Token(_));
        }
    }

    fn encode_text(&self, text: &str, after_special: bool, tokens: &mut Vec<u32>) {
        match &self.algorithm {
            Algorithm::Bpe(bpe) => bpe.encode(&self.vocab, text, tokens),
            Algorithm::Spm(spm) => spm.encode(&self.vocab, text, self.add_space_prefix && after_special, tokens),
        }
    }

    /// Turns a reply's tokens into text as they come.
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.add_space_prefix, false)
    }

    /// The text of `tokens`; `special` also spells out control tokens such as `<|im_end|>`.
    pub fn decode(&self, tokens: &[u32], special: bool) -> String {
        let mut decoder = Decoder::new(self.add_space_prefix, special);
        let mut text: String = tokens.iter().map(|&token| decoder.push(self, token)).collect();
        text.push_str(&decoder.finish());
        text
    }

    /// Appends the bytes that `token` stands for: maybe part of a character, none for control tokens unless `special`.
    fn bytes(&self, token: u32, special: bool, bytes: &mut Vec<u8>) {
        let Some(text) = self.vocab.get(token) else { return };
        match self.vocab.kind(token) {
            Kind::Control | Kind::Unknown if !special => {}
            Kind::Control | Kind::Unknown | Kind::UserDefined => bytes.extend(text.as_bytes()),
            Kind::Byte => bytes.extend(spm::byte_named(text)),
            Kind::Unused => {}
            Kind::Normal => match &self.algorithm {
                Algorithm::Bpe(_) => bpe::bytes(text, bytes),
                Algorithm::Spm(_) => spm::bytes(text, bytes),
            },
        }
    }

    /// How many tokens there are; ids are less.
    pub fn n_vocab(&self) -> usize {
        self.vocab.len()
    }

    /// The tokens that end a reply, in order.
    pub fn end_tokens(&self) -> &[u32] {
        self.ends.tokens()
    }

    /// Whether `token` ends a reply, be it the end of a text or of a turn.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(token)
    }

    /// The token that the vocabulary writes like this.
    pub fn token(&self, text: &str) -> Option<u32> {
        self.vocab.id(text)
    }

    /// How the vocabulary writes a token; `""` if there is no such token.
    pub fn text(&self, token: u32) -> &str {
        self.vocab.get(token).unwrap_or_default()
    }

    /// The token for the beginning of a text.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The token for the end of a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }
}

/// What holds where the metadata is silent.
struct Defaults {
    bos: u32,
    eos: u32,
    add_bos: bool,
    add_space_prefix: bool,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}
