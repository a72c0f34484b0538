//! Folders outside of the sources: where the repository is, where cargo builds, where tools are kept.

use std::path::{Path, PathBuf};

/// The root of the repository; every command runs there, and every path is relative to it.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Where cargo builds: the folder that the environment names, one that all clones share where `CI` is set, else `target`.
pub(crate) fn target_dir() -> PathBuf {
    let named = || std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    shared_target_dir().unwrap_or_else(named)
}

/// The folder that all clones on this machine build in, where `CI` is set and nobody names another one.
pub(crate) fn shared_target_dir() -> Option<PathBuf> {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    (is_set("CI") && !is_set("CARGO_TARGET_DIR")).then(|| cache().join("target"))
}

/// The folder in which pinned tools are kept, for all clones of this repository.
pub(crate) fn cache() -> PathBuf {
    let folder = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .unwrap_or_else(|| PathBuf::from("target"));
    base.join("minnow")
}
