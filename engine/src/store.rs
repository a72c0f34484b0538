//! Model files: from the network or the person's disk to this device's storage, and from all three to the engine.
//!
//! A file is read once, from its first byte to its last, and is never in memory whole: a [`Reader`] takes each chunk
//! from where it is, checks it, keeps it, and shows it. What was kept is there the next time, with no network at all;
//! what was interrupted goes on where it stopped.

pub mod buffer;
pub mod cancel;
pub mod checksum;
pub mod retry;
pub mod served;
pub mod sidecar;
pub mod source;

#[cfg(target_arch = "wasm32")]
pub mod download;
#[cfg(target_arch = "wasm32")]
pub mod js;
#[cfg(target_arch = "wasm32")]
pub mod keeper;
#[cfg(target_arch = "wasm32")]
pub mod opfs;
#[cfg(target_arch = "wasm32")]
pub mod reader;

pub use cancel::Cancel;
#[cfg(target_arch = "wasm32")]
pub use reader::{OpenOptions, Reader};
