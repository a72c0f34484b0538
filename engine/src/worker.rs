//! The engine as a web worker: requests in, events out, one thing at a time.
//!
//! [`start`] listens. Questions about what is stored are answered at once; everything else goes through a [`Queue`],
//! from which one task takes job after job. Between two steps of a job that task lets the browser deliver messages, so a
//! wish to stop is seen within one token.

pub mod budget;
pub mod gpu_fallback;
pub mod info;
pub mod queue;
pub mod text;

#[cfg(target_arch = "wasm32")]
mod adapter;
#[cfg(target_arch = "wasm32")]
mod backend_choice;
#[cfg(target_arch = "wasm32")]
mod device_probe;
#[cfg(target_arch = "wasm32")]
mod engine;
#[cfg(target_arch = "wasm32")]
mod gpu_request;
#[cfg(target_arch = "wasm32")]
mod load;
#[cfg(target_arch = "wasm32")]
mod post;
#[cfg(target_arch = "wasm32")]
mod reply;
#[cfg(target_arch = "wasm32")]
mod start;
#[cfg(target_arch = "wasm32")]
mod threads;
#[cfg(target_arch = "wasm32")]
mod timeout;

#[cfg(target_arch = "wasm32")]
pub use adapter::{first_turn, gpu_options};
pub use queue::Queue;
#[cfg(target_arch = "wasm32")]
pub use start::start;
#[cfg(target_arch = "wasm32")]
pub use threads::is_helper;
