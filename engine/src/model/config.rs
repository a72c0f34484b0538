//! A model's sizes and constants, as the file's metadata gives them.

use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{Gguf, Metadata};
use crate::plan::{Rope, RopePairs};
use std::collections::HashSet;

/// More layers than any real model has; a plan is made for each.
const N_LAYER_MAX: usize = 1024;
/// Larger than any width of a real model, all heads together.
const WIDTH_MAX: usize = 1 << 24;

/// Sizes and constants of a transformer. Names are llama.cpp's.
#[derive(Debug, Clone)]
pub struct Config {
    /// `general.architecture`; also the prefix of most keys.
    pub architecture: &'static str,
    /// Layers.
    pub n_layer: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Width of the feed-forward layer, by layer.
    pub n_ff: Vec<usize>,
    /// Query heads, by layer.
    pub n_head: Vec<usize>,
    /// Key and value heads, by layer.
    pub n_head_kv: Vec<usize>,
    /// Elements of a head.
    pub head_dim: usize,
    /// Tokens of the vocabulary.
    pub n_vocab: usize,
    /// Context the model was trained with.
    pub n_ctx_train: usize,
    /// Epsilon of the norms.
    pub norm_eps: f32,
    /// Rotary embedding of ordinary layers; the pairing is the architecture's.
    pub rope: Rope,
    /// Multiplies attention scores.
    pub attention_scale: f32,
    /// Positions that a windowed layer sees.
    pub window: Option<usize>,
    /// Base of rotary frequencies in windowed layers.
    pub rope_base_window: Option<f32>,
    tensors: HashSet<String>,
}

impl Config {
    /// Reads the metadata of `gguf`.
    ///
    /// # Errors
    /// `Invalid` for missing or impossible values, `Unsupported` for features that are not here.
    pub fn new(gguf: &Gguf, architecture: &'static str) -> Result<Self> {
        let keys = Keys { metadata: &gguf.metadata, prefix: architecture };
        let n_layer = keys.size("block_count", N_LAYER_MAX)?;
        let n_embd = keys.size("embedding_length", WIDTH_MAX)?;
        let n_head = keys.sizes("attention.head_count", n_layer)?;
        let n_head_kv = keys.sizes_or("attention.head_count_kv", n_layer, &n_head)?;
        let head_dim = keys.size_or("attention.key_length", n_embd / n_head[0].max(1))?;
        let config = Self {
            architecture,
            n_layer,
            n_embd,
            n_ff: keys.sizes("feed_forward_length", n_layer)?,
            head_dim,
            n_vocab: n_vocab(gguf)?,
            n_ctx_train: keys.size("context_length", u32::MAX as usize)?,
            norm_eps: keys
                .f32("attention.layer_norm_rms_epsilon")?
                .ok_or_else(|| keys.missing("attention.layer_norm_rms_epsilon"))?,
            rope: rope(&keys, head_dim)?,
            attention_scale: keys
                .f32("attention.scale")?
                .filter(|s| *s != 0.0)
                .unwrap_or(1.0 / (head_dim as f32).sqrt()),
            window: keys.usize("attention.sliding_window")?.filter(|w| *w > 0),
            rope_base_window: keys.f32("rope.freq_base_swa")?,
            tensors: gguf.tensors.iter().map(|t| t.name.clone()).collect(),
            n_head,
            n_head_kv,
        };
        config.check(&keys)?;
        Ok(config)
    }

    /// Whether the file has this tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.tensors.contains(tensor)
    }

    fn check(&self, keys: &Keys<'_>) -> Result<()> {
        let heads_fit = self.n_head.iter().zip(&self.n_head_kv).all(|(q, kv)| *kv > 0 && q.is_multiple_of(*kv));
        if !heads_fit {
            return Err(keys.impossible("attention.head_count_kv", "query heads must be a multiple of key heads"));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) || self.head_dim > WIDTH_MAX {
            return Err(keys.impossible("attention.key_length", "a head needs an even number of elements"));
        }
        if self.n_head.iter().any(|n_head| n_head.checked_mul(self.head_dim).is_none_or(|width| width > WIDTH_MAX)) {
            return Err(keys.impossible("attention.key_length", "all heads together are too large"));
        }
        let n_tokens = keys.metadata.strings("tokenizer.ggml.tokens")?.map_or(0, |tokens| tokens.len());
        if n_tokens > self.n_vocab {
            let message = format!("The file names {n_tokens} tokens, but describes only {}.", self.n_vocab);
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        if keys.size_or("attention.value_length", self.head_dim)? != self.head_dim {
            return Err(keys.unsupported("attention.value_length", "keys and values of different sizes"));
        }
        if self.rope.n_rot == 0 || !self.rope.n_rot.is_multiple_of(2) || self.rope.n_rot > self.head_dim {
            return Err(keys.impossible("rope.dimension_count", "it must be even and at most the size of a head"));
        }
        if keys.usize("expert_count")?.unwrap_or(0) > 0 {
            return Err(keys.unsupported("expert_count", "mixtures of experts"));
        }
        if keys.f32("final_logit_softcapping")?.unwrap_or(0.0) != 0.0 {
            return Err(keys.unsupported("final_logit_softcapping", "capped logits"));
        }
        Ok(())
    }
}

/// The embedding has one row a token; the metadata may not say how many.
fn n_vocab(gguf: &Gguf) -> Result<usize> {
    let embedding = gguf.tensor("token_embd.weight");
    embedding
        .map(|t| t.rows())
        .ok_or_else(|| Error::new(ErrorKind::Invalid, "The file has no tensor \"token_embd.weight\"."))
}

fn rope(keys: &Keys<'_>, head_dim: usize) -> Result<Rope> {
    let scaling = keys.metadata.str(&keys.name("rope.scaling.type"))?.unwrap_or("linear").to_owned();
    let factor = match keys.f32("rope.scaling.factor")? {
        Some(factor) => factor,
        None => keys.f32("rope.scale_linear")?.unwrap_or(0.0),
    };
    let is_yarn = match scaling.as_str() {
        "none" | "linear" | "llama3" => false,
        "yarn" => true,
        _ => return Err(keys.unsupported("rope.scaling.type", &format!("rotary scaling of type {scaling:?}"))),
    };
    Ok(Rope {
        pairs: RopePairs::Neighbours,
        n_rot: keys.size_or("rope.dimension_count", head_dim)?,
        freq_base: keys.f32("rope.freq_base")?.unwrap_or(10_000.0),
        freq_scale: if factor > 0.0 && scaling != "none" { 1.0 / factor } else { 1.0 },
        ext_factor: keys.f32("rope.scaling.yarn_ext_factor")?.unwrap_or(if is_yarn { 1.0 } else { 0.0 }),
        attn_factor: keys.f32("rope.scaling.attn_factor")?.unwrap_or(1.0),
        beta_fast: keys.f32("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
        beta_slow: keys.f32("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
        n_ctx_orig: match keys.usize("rope.scaling.original_context_length")? {
            Some(n) => n,
            None => keys.size("context_length", u32::MAX as usize)?,
        },
    })
}

/// The metadata under one architecture's prefix.
struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    fn f32(&self, key: &str) -> Result<Option<f32>> {
        let value = self.metadata.f32(&self.name(key))?;
        match value {
            Some(v) if !v.is_finite() => Err(self.impossible(key, "it is not a finite number")),
            Some(_) | None => Ok(value),
        }
    }

    fn usize(&self, key: &str) -> Result<Option<usize>> {
        Ok(self.metadata.u32(&self.name(key))?.map(|v| v as usize))
    }

    fn size(&self, key: &str, max: usize) -> Result<usize> {
        match self.usize(key)? {
            None => Err(self.missing(key)),
            Some(n) if n == 0 || n > max => Err(self.impossible(key, &format!("it is {n}, and must be 1 to {max}"))),
            Some(n) => Ok(n),
        }
    }

    fn size_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.usize(key)?.unwrap_or(default))
    }

    /// One size for every layer; a single number stands for all of them.
    fn sizes(&self, key: &str, n_layer: usize) -> Result<Vec<usize>> {
        let Some(values) = self.metadata.u32s(&self.name(key))? else { return Err(self.missing(key)) };
        let sizes = match values[..] {
            [one] => vec![one as usize; n_layer],
            _ => values.iter().map(|v| *v as usize).collect(),
        };
        match sizes.iter().find(|n| **n == 0 || **n > WIDTH_MAX) {
            Some(n) => Err(self.impossible(key, &format!("a layer has {n}"))),
            None if sizes.len() != n_layer => {
                Err(self.impossible(key, &format!("it has {} values for {n_layer} layers", sizes.len())))
            }
            None => Ok(sizes),
        }
    }

    fn sizes_or(&self, key: &str, n_layer: usize, default: &[usize]) -> Result<Vec<usize>> {
        if self.metadata.get(&self.name(key)).is_none() { Ok(default.to_vec()) } else { self.sizes(key, n_layer) }
    }

    fn missing(&self, key: &str) -> Error {
        Error::new(ErrorKind::Invalid, format!("The file's metadata lacks {:?}.", self.name(key)))
    }

    fn impossible(&self, key: &str, why: &str) -> Error {
        Error::new(ErrorKind::Invalid, format!("The file's {:?} is impossible: {why}.", self.name(key)))
    }

    fn unsupported(&self, key: &str, what: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("This model cannot be run yet: it needs {what} ({:?}).", self.name(key)),
        )
    }
}
