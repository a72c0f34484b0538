//! What the page shows about a model, read from its header.

use crate::gguf::Gguf;
use std::collections::BTreeMap;

/// The file's `general.name`, else its file name.
pub fn name(gguf: &Gguf, file_name: &str) -> String {
    match gguf.metadata.str("general.name") {
        Ok(Some(name)) if !name.trim().is_empty() => name.trim().to_owned(),
        Ok(_) | Err(_) => file_name.trim_end_matches(".gguf").to_owned(),
    }
}

/// How many parameters the file has.
pub fn n_params(gguf: &Gguf) -> u64 {
    gguf.tensors.iter().map(|tensor| tensor.dims.iter().product::<u64>()).sum()
}

/// The type of most weights.
pub fn weight_type(gguf: &Gguf) -> String {
    let mut n_by_type = BTreeMap::<&str, u64>::new();
    for tensor in &gguf.tensors {
        *n_by_type.entry(tensor.dtype.name()).or_default() += tensor.dims.iter().product::<u64>();
    }
    n_by_type.into_iter().max_by_key(|(_, n)| *n).map_or_else(String::new, |(name, _)| name.to_owned())
}

/// Which build this is (`xtask/src/variants.rs`).
pub fn variant() -> &'static str {
    match (cfg!(target_feature = "relaxed-simd"), cfg!(target_feature = "atomics")) {
        (false, false) => "plain",
        (false, true) => "plain-threads",
        (true, false) => "relaxed",
        (true, true) => "threads",
    }
}

/// What this build uses of the CPU.
pub fn tier() -> &'static str {
    if cfg!(target_feature = "relaxed-simd") { "relaxed-simd" } else { "simd128" }
}
