//! The page that measures: `#/bench`, or `#/bench?model=…&pp=512&…` to begin at once, as a script wants it.
//!
//! An address becomes a [`wish`](wish::Wish), a wish becomes a [`run`](run::Run) that follows an engine of its own, and a
//! run becomes a [`report`](report::Report), which is the table on screen, and `window.minnowBench`.

mod form;
mod page;
mod report;
mod run;
mod state;
mod wish;

pub use page::Bench;

use crate::browser;

/// Whether the address asks for this page.
pub fn is_here() -> bool {
    query().is_some()
}

/// What the address asks for, if it is this page's; empty if it asks for nothing in particular.
fn query() -> Option<String> {
    let hash = browser::window().location().hash().unwrap_or_default();
    let rest = hash.strip_prefix("#/bench")?.trim_start_matches('/');
    match rest.strip_prefix('?') {
        Some(query) => Some(query.to_owned()),
        None => rest.is_empty().then(String::new),
    }
}
