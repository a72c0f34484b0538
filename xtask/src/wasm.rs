//! Which Rust compiles to wasm.
//!
//! Usually the one that rustup has, with its `wasm32-unknown-unknown` target. Where rustup has no such target and cannot
//! fetch it, Debian's `rustc-web` is linked as the toolchain `debian`, and builds the standard library from source.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run};
use crate::tools::{apt_install, apt_line, may_apt_install};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Compiler, cargo, the standard library's source and the linter.
pub(crate) const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];

/// A Rust toolchain that can compile to wasm.
pub(crate) enum Toolchain {
    /// The default toolchain, with the target's standard library as rustup delivers it.
    Rustup,
    /// Debian's, with the linker of the default toolchain: Debian's has none for wasm.
    Debian { linker: PathBuf },
}

impl Toolchain {
    /// The toolchain to use; installs what is missing.
    pub(crate) fn ensure() -> Result<Self> {
        if let Some(toolchain) = Self::find() {
            return Ok(toolchain);
        }
        println!("  there is no Rust target {TARGET} yet");
        if run(&mut command("rustup", ["target", "add", TARGET])).is_ok() {
            return Self::find().with_context(|| format!("rustup added {TARGET}, but rustc does not find it"));
        }
        if !may_apt_install() {
            bail!(
                "no Rust for {TARGET}. Either of these brings it:\n       rustup target add {TARGET}\n       {}",
                apt_line(&DEBIAN_PACKAGES)
            );
        }
        println!("  rustup could not add it; taking Debian's compiler instead");
        apt_install(&DEBIAN_PACKAGES)?;
        Self::find().context("Debian's rustc-web is installed, but cannot be used as a toolchain")
    }

    /// The toolchain that is ready for use, if there is one.
    pub(crate) fn find() -> Option<Self> {
        if rustc_lib(TARGET).is_some_and(|lib| lib.is_dir()) {
            return Some(Self::Rustup);
        }
        Self::find_debian()
    }

    fn find_debian() -> Option<Self> {
        let linker = rustc_lib(&host()?)?.with_file_name("bin").join("rust-lld");
        let ready = debian_is_installed() && linker.exists() && link_debian();
        ready.then_some(Self::Debian { linker })
    }

    /// Makes `command` — cargo, or a program that calls cargo — compile with this toolchain.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self {
            Self::Rustup => command,
            Self::Debian { linker } => command
                .env("RUSTUP_TOOLCHAIN", "debian")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker),
        }
    }

    /// The toolchain for programs that need a standard library of their own making, as those with threads do: the one that
    /// rustup delivers has none. Fetches the library's source if it is missing.
    pub(crate) fn ensure_with_source() -> Result<Self> {
        let toolchain = Self::ensure()?;
        let has_source = match toolchain {
            Self::Rustup => has_rust_src() || add_rust_src(),
            Self::Debian { .. } => true,
        };
        if has_source {
            return Ok(toolchain);
        }
        if !may_apt_install() {
            bail!(
                "the source of Rust's standard library is missing. Either of these brings it:\n       \
                 rustup component add rust-src\n       {}",
                apt_line(&DEBIAN_PACKAGES)
            );
        }
        println!("  rustup could not add it; taking Debian's compiler instead");
        if !debian_is_installed() {
            apt_install(&DEBIAN_PACKAGES)?;
        }
        Self::find_debian().context("Debian's rustc-web is installed, but cannot be used as a toolchain")
    }

    /// As [`Self::apply`], and makes cargo build the standard library with the features of the program.
    pub(crate) fn apply_with_std<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.apply(command).env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Rustup => format!("rustup's default toolchain with {TARGET}"),
            Self::Debian { linker } => {
                format!("Debian's rustc-web, std built from source, linked by {}", linker.display())
            }
        }
    }
}

/// Whether rustup's default toolchain has the standard library's source.
fn has_rust_src() -> bool {
    let sysroot = output(&mut command("rustc", ["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library").is_dir())
}

/// Whether rustup could fetch it.
fn add_rust_src() -> bool {
    println!("  the source of Rust's standard library is not here yet");
    run(&mut command("rustup", ["component", "add", "rust-src"])).is_ok() && has_rust_src()
}

/// The folder in which rustc keeps the standard library of `target`.
fn rustc_lib(target: &str) -> Option<PathBuf> {
    output(&mut command("rustc", ["--print", "target-libdir", "--target", target])).map(PathBuf::from)
}

/// The target that rustc itself runs on.
fn host() -> Option<String> {
    let version = output(&mut command("rustc", ["-vV"]))?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

fn debian_is_installed() -> bool {
    let files = ["/usr/bin/rustc", "/usr/bin/cargo", "/usr/bin/clippy-driver", "/usr/lib/rustlib/src/rust/library"];
    files.iter().all(|file| Path::new(file).exists())
}

/// Makes `/usr` the rustup toolchain `debian`; false if there is no rustup.
fn link_debian() -> bool {
    output(&mut command("rustup", ["run", "debian", "rustc", "--version"])).is_some()
        || output(&mut command("rustup", ["toolchain", "link", "debian", "/usr"])).is_some()
}
