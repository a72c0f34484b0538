//! Minnow's engine: small quantized language models from GGUF files, natively and in a browser tab.
//!
//! The modules stand in the order of a token's path.

pub mod error;
pub mod dtype;
pub mod plan;
pub mod protocol;
pub mod store;
