//! Minnow's engine: small quantized language models from GGUF files, natively and in a browser tab.
//!
//! The modules stand in the order of a token's path.

pub mod error;
pub mod gguf;
pub mod dtype;
pub mod quant;
pub mod tokenizer;
pub mod chat;
pub mod model;
pub mod plan;
pub mod backend;
pub mod load;
pub mod reference;
pub mod cpu;
pub mod gpu;
pub mod sampler;
pub mod session;
pub mod rng;
pub mod store;
pub mod worker;

pub use protocol;
