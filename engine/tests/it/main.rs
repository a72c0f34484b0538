//! The integration tests: one program, a module for each subject, so that it is linked once and its tests fill all cores.
//!
//! Native, `cargo test --workspace --test it ops::` runs those of one module; in wasm are only those of what is built
//! differently there.

mod agreement;
#[cfg(not(target_arch = "wasm32"))]
mod chat;
mod common;
#[cfg(not(target_arch = "wasm32"))]
mod conformance;
mod draws;
#[cfg(not(target_arch = "wasm32"))]
mod gpu;
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod model;
mod ops;
mod shaders;
#[cfg(not(target_arch = "wasm32"))]
mod tokenizer;
