//! What an architecture reads of a file's header: its own keys, typed and within bounds, and which tensors there are.

use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{Gguf, Metadata, Value};
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Larger than any width of a real model, all heads together.
pub(super) const WIDTH_MAX: usize = 1 << 24;

/// A file's header as one architecture sees it: keys are those under its prefix.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    gguf: &'a Gguf,
    metadata: &'a Metadata,
    architecture: &'static str,
    tensors: HashSet<&'a str>,
}

impl<'a> Keys<'a> {
    /// The keys of `architecture` in the header `gguf`.
    pub(super) fn new(gguf: &'a Gguf, architecture: &'static str) -> Self {
        let tensors = gguf.tensors.iter().map(|t| t.name.as_str()).collect();
        Self { gguf, metadata: &gguf.metadata, architecture, tensors }
    }

    /// `general.architecture`; also the prefix of most keys.
    pub(super) fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Tokens of the vocabulary: the embedding has one row a token, and the metadata may not say how many.
    ///
    /// # Errors
    /// `Invalid` if the file has no embedding, or names more tokens than that has rows.
    pub(super) fn n_vocab(&self) -> Result<usize> {
        let invalid = |message: String| Error::new(ErrorKind::Invalid, message);
        let n_vocab = self.rows("token_embd.weight");
        let n_vocab = n_vocab.ok_or_else(|| invalid("The file has no tensor \"token_embd.weight\".".into()))?;
        let n_tokens = self.metadata.strings("tokenizer.ggml.tokens")?.map_or(0, |tokens| tokens.len());
        if n_tokens > n_vocab {
            return Err(invalid(format!("The file names {n_tokens} tokens, but describes only {n_vocab}.")));
        }
        Ok(n_vocab)
    }

    /// Whether the file has a tensor of this name.
    pub(super) fn has(&self, tensor: &str) -> bool {
        self.tensors.contains(tensor)
    }

    /// Rows of a tensor, if the file has one of this name.
    pub(super) fn rows(&self, tensor: &str) -> Option<usize> {
        Some(self.gguf.tensor(tensor)?.rows())
    }

    /// A finite float.
    pub(super) fn f32(&self, key: &str) -> Result<Option<f32>> {
        let value = self.metadata.f32(&self.name(key))?;
        match value {
            Some(v) if !v.is_finite() => Err(self.impossible(key, "it is not a finite number")),
            Some(_) | None => Ok(value),
        }
    }

    /// A finite float, or `default` where the file has none.
    pub(super) fn f32_or(&self, key: &str, default: f32) -> Result<f32> {
        Ok(self.f32(key)?.unwrap_or(default))
    }

    /// A finite float that the file must have.
    pub(super) fn f32_required(&self, key: &str) -> Result<f32> {
        self.f32(key)?.ok_or_else(|| self.missing(key))
    }

    /// A yes or no, or `default` where the file has none.
    pub(super) fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        Ok(self.metadata.bool(&self.name(key))?.unwrap_or(default))
    }

    /// A text.
    pub(super) fn str(&self, key: &str) -> Result<Option<&'a str>> {
        self.metadata.str(&self.name(key))
    }

    /// An integer that is not negative.
    pub(super) fn usize(&self, key: &str) -> Result<Option<usize>> {
        Ok(self.metadata.u32(&self.name(key))?.map(|v| v as usize))
    }

    /// An integer that is not negative, or `default` where the file has none.
    pub(super) fn usize_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.usize(key)?.unwrap_or(default))
    }

    /// An integer of 1 to `max` that the file must have.
    pub(super) fn size(&self, key: &str, max: usize) -> Result<usize> {
        match self.usize(key)? {
            None => Err(self.missing(key)),
            Some(n) if n == 0 || n > max => Err(self.impossible(key, &format!("it is {n}, and must be 1 to {max}"))),
            Some(n) => Ok(n),
        }
    }

    /// One integer within `range` for every layer; a single number stands for all of them.
    pub(super) fn sizes(&self, key: &str, n_layer: usize, range: RangeInclusive<usize>) -> Result<Vec<usize>> {
        let Some(values) = self.metadata.u32s(&self.name(key))? else { return Err(self.missing(key)) };
        let sizes = match values[..] {
            [one] => vec![one as usize; n_layer],
            _ => values.iter().map(|v| *v as usize).collect(),
        };
        match sizes.iter().find(|n| !range.contains(n)) {
            Some(n) => Err(self.impossible(key, &format!("a layer has {n}"))),
            None if sizes.len() != n_layer => {
                Err(self.impossible(key, &format!("it has {} values for {n_layer} layers", sizes.len())))
            }
            None => Ok(sizes),
        }
    }

    /// Whether the file has this key.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.metadata.get(&self.name(key)).is_some()
    }

    /// Refuses a file in which any of these keys is neither absent nor 0: each stands with what it would need.
    pub(super) fn refuse(&self, features: &[(&str, &str)]) -> Result<()> {
        features.iter().try_for_each(|(key, what)| {
            let is_used = match self.metadata.get(&self.name(key)) {
                None => false,
                Some(Value::F32(_)) => self.f32(key)? != Some(0.0),
                Some(_) => self.usize(key)? != Some(0),
            };
            if is_used { Err(self.unsupported(key, what)) } else { Ok(()) }
        })
    }

    /// The error of a key that the file must have.
    pub(super) fn missing(&self, key: &str) -> Error {
        Error::new(ErrorKind::Invalid, format!("The file's metadata lacks {:?}.", self.name(key)))
    }

    /// The error of a key whose value no model has.
    pub(super) fn impossible(&self, key: &str, why: &str) -> Error {
        Error::new(ErrorKind::Invalid, format!("The file's {:?} is impossible: {why}.", self.name(key)))
    }

    /// The error of a key whose value asks for something that is not here.
    pub(super) fn unsupported(&self, key: &str, what: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("This model cannot be run yet: it needs {what} ({:?}).", self.name(key)),
        )
    }

    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }
}
