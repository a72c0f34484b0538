//! How the site is compiled: as visitors get it, or as tests need it.

use std::process::Command;

/// How much care the compiler takes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Build {
    /// What visitors get: optimized as a whole, by one thread, and by wasm-opt.
    Shipped,
    /// What tests get: the same sources and features, compiled in a fraction of the time.
    Tested,
}

impl Build {
    /// Makes cargo, or a program that calls it, build the release profile in this way. Not a profile of its own, because Trunk
    /// and wasm-bindgen look where releases are.
    pub(crate) fn apply(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Shipped => command,
            Self::Tested => {
                command.env("CARGO_PROFILE_RELEASE_LTO", "false").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            }
        }
    }
}
