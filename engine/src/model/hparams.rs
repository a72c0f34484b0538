//! The sizes and constants that transformers share. Names are llama.cpp's.

use super::keys::{Keys, WIDTH_MAX};
use crate::error::Result;
use crate::plan::{RopePairs, RopeParams};

/// More layers than any real model has; a plan is made for each.
const N_LAYER_MAX: usize = 1024;

/// Sizes and constants of a transformer, and the header that they are from.
#[derive(Debug)]
pub(super) struct Hparams<'a> {
    /// What else the header says.
    pub(super) keys: &'a Keys<'a>,
    /// Layers.
    pub(super) n_layer: usize,
    /// Width of the residual stream.
    pub(super) n_embd: usize,
    /// Width of the feed-forward layer, by layer.
    pub(super) n_ff: Vec<usize>,
    /// Query heads, by layer.
    pub(super) n_head: Vec<usize>,
    /// Key and value heads, by layer; 0 where a layer of a hybrid has no attention.
    pub(super) n_head_kv: Vec<usize>,
    /// Elements of a head.
    pub(super) head_dim: usize,
    /// Tokens of the vocabulary.
    pub(super) n_vocab: usize,
    /// Epsilon of the norms.
    pub(super) norm_eps: f32,
    /// Rotary embedding of ordinary layers.
    pub(super) rope: RopeParams,
    /// Multiplies attention scores.
    pub(super) attention_scale: f32,
}

impl<'a> Hparams<'a> {
    /// Reads what every transformer has; `pairs` is how the architecture's rotary embedding pairs elements.
    ///
    /// # Errors
    /// `Invalid` for missing or impossible values, `Unsupported` for keys and values of different sizes or a rotary
    /// scaling that is not here.
    pub(super) fn read(keys: &'a Keys<'a>, pairs: RopePairs) -> Result<Self> {
        let hparams = Self::read_hybrid(keys, pairs)?;
        match hparams.n_head_kv.contains(&0) {
            true => Err(keys.impossible("attention.head_count_kv", "a layer has 0")),
            false => Ok(hparams),
        }
    }

    /// The same of a hybrid, where layers without heads of keys and values have no attention.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_hybrid(keys: &'a Keys<'a>, pairs: RopePairs) -> Result<Self> {
        let n_layer = keys.size("block_count", N_LAYER_MAX)?;
        let n_embd = keys.size("embedding_length", WIDTH_MAX)?;
        let n_head = keys.sizes("attention.head_count", n_layer, 1..=WIDTH_MAX)?;
        let n_head_kv = if keys.contains("attention.head_count_kv") {
            keys.sizes("attention.head_count_kv", n_layer, 0..=WIDTH_MAX)?
        } else {
            n_head.clone()
        };
        let head_dim = keys.usize_or("attention.key_length", n_embd / n_head[0])?;
        let scale = keys.f32("attention.scale")?.filter(|s| *s != 0.0);
        let hparams = Self {
            keys,
            n_layer,
            n_embd,
            n_ff: keys.sizes("feed_forward_length", n_layer, 1..=WIDTH_MAX)?,
            n_head,
            n_head_kv,
            head_dim,
            n_vocab: keys.n_vocab()?,
            norm_eps: keys.f32_required("attention.layer_norm_rms_epsilon")?,
            rope: rope(keys, head_dim, pairs)?,
            attention_scale: scale.unwrap_or(1.0 / (head_dim as f32).sqrt()),
        };
        hparams.check()?;
        Ok(hparams)
    }

    fn check(&self) -> Result<()> {
        let keys = self.keys;
        if !self.n_head.iter().zip(&self.n_head_kv).all(|(q, kv)| *kv == 0 || q.is_multiple_of(*kv)) {
            return Err(keys.impossible("attention.head_count_kv", "query heads must be a multiple of key heads"));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) || self.head_dim > WIDTH_MAX {
            return Err(keys.impossible("attention.key_length", "a head needs an even number of elements"));
        }
        if self.n_head.iter().any(|n_head| n_head.checked_mul(self.head_dim).is_none_or(|width| width > WIDTH_MAX)) {
            return Err(keys.impossible("attention.key_length", "all heads together are too large"));
        }
        if keys.usize_or("attention.value_length", self.head_dim)? != self.head_dim {
            return Err(keys.unsupported("attention.value_length", "keys and values of different sizes"));
        }
        if self.rope.n_rot == 0 || !self.rope.n_rot.is_multiple_of(2) || self.rope.n_rot > self.head_dim {
            return Err(keys.impossible("rope.dimension_count", "it must be even and at most the size of a head"));
        }
        Ok(())
    }
}

fn rope(keys: &Keys<'_>, head_dim: usize, pairs: RopePairs) -> Result<RopeParams> {
    let scaling = keys.str("rope.scaling.type")?.unwrap_or("linear");
    let factor = match keys.f32("rope.scaling.factor")? {
        Some(factor) => factor,
        None => keys.f32_or("rope.scale_linear", 0.0)?,
    };
    let is_yarn = match scaling {
        "none" | "linear" | "llama3" | "longrope" => false,
        "yarn" => true,
        _ => return Err(keys.unsupported("rope.scaling.type", &format!("rotary scaling of type {scaling:?}"))),
    };
    let freq_scale = if factor > 0.0 && scaling != "none" { 1.0 / factor } else { 1.0 };
    let ext_factor = keys.f32_or("rope.scaling.yarn_ext_factor", if is_yarn { 1.0 } else { 0.0 })?;
    // What YaRN does to the length of queries and keys, divided by what the model was trained with.
    let log_multiplier = keys.f32_or("rope.scaling.yarn_log_multiplier", 0.0)?;
    let length = if ext_factor != 0.0 && freq_scale < 1.0 { 1.0 - 0.1 * log_multiplier * freq_scale.ln() } else { 1.0 };
    Ok(RopeParams {
        pairs,
        n_rot: keys.usize_or("rope.dimension_count", head_dim)?,
        freq_base: keys.f32_or("rope.freq_base", 10_000.0)?,
        freq_scale,
        ext_factor,
        attn_factor: keys.f32_or("rope.scaling.attn_factor", 1.0)? / length,
        beta_fast: keys.f32_or("rope.scaling.yarn_beta_fast", 32.0)?,
        beta_slow: keys.f32_or("rope.scaling.yarn_beta_slow", 1.0)?,
        n_ctx_orig: match keys.usize("rope.scaling.original_context_length")? {
            Some(n) => n,
            None => keys.size("context_length", u32::MAX as usize)?,
        },
    })
}
