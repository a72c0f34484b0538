//! What the page and the worker say to each other: two closed enums, sent as JSON text.
//!
//! The worker speaks first, with [`Event::Ready`]; a request sent before it is lost. A local file cannot travel as
//! text, so the message that carries [`Request::Load`] of a [`Source::Local`] is a JS array `[json, File]`; every
//! other message is the JSON string alone.

/// The version of what is said here: raised with every change that the other side must know of. The worker tells its own
/// in [`Event::Ready`], so that a page with another can say so instead of misunderstanding it.
pub const VERSION: u32 = 1;

mod bench;
mod cache_type;
mod error;
mod event;
mod generate;
mod load;
mod model;
mod request;
mod threads;

pub use bench::{BenchOptions, GpuCost, OpTime, Profile};
pub use cache_type::CacheType;
pub use error::{ErrorKind, Stage};
pub use event::Event;
pub use generate::{Finish, GenerateOptions, Message, ReplyStats, Role, Sampling};
pub use load::{BackendWish, LoadOptions, LoadStage, Source, StartOver};
pub use model::{Kept, ModelInfo, StoredModel};
pub use request::Request;
pub use threads::Threads;
