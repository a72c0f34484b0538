//! The builds of the worker: one source, several sets of CPU features.
//!
//! The page reads `variants.json` and starts the best variant that the browser validates: `worker_loader.js` for `plain`,
//! `worker_NAME_loader.js` for the others. Trunk builds `plain`; the others are built here and laid beside it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, run, step};
use crate::tools::WASM_BINDGEN;
use crate::wasm::{TARGET, Toolchain};

/// A build of the worker.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// Beyond those in `.cargo/config.toml`.
    rustflags: &'static [&'static str],
}

/// The variant that every browser with SIMD can run.
const PLAIN: Variant = Variant { name: "plain", rustflags: &[] };

/// Every variant; each wants more of the browser than the one before.
pub(crate) const VARIANTS: [Variant; 2] =
    [PLAIN, Variant { name: "relaxed", rustflags: &["-Ctarget-feature=+relaxed-simd"] }];

/// Builds every variant but the plain one, and lists all of them for the page.
pub(crate) fn build(toolchain: &Toolchain, dist: &Path) -> Result<()> {
    for variant in VARIANTS.iter().filter(|variant| variant.name != PLAIN.name) {
        step(&format!("worker, variant {}", variant.name), || variant.build(toolchain, dist))?;
    }
    write(&dist.join("variants.json"), &format!("{:?}\n", VARIANTS.map(|variant| variant.name)))
}

impl Variant {
    fn build(&self, toolchain: &Toolchain, dist: &Path) -> Result<()> {
        let mut cargo = command("cargo", ["build", "--release", "--package", "minnow-engine", "--bin", "worker"]);
        run(toolchain.apply(self.apply(&mut cargo)))?;

        let stem = format!("worker_{}", self.name);
        let mut bindgen = command(WASM_BINDGEN.ensure()?, ["--target", "web", "--no-typescript", "--out-name", &stem]);
        run(bindgen.arg("--out-dir").arg(dist).arg(format!("target/{TARGET}/release/worker.wasm")))?;
        write(&dist.join(format!("{stem}_loader.js")), &format!("import init from './{stem}.js';await init();"))
    }

    /// Makes `cargo` compile to wasm as this variant wants it.
    pub(crate) fn apply<'a>(&self, cargo: &'a mut Command) -> &'a mut Command {
        let config = format!("target.{TARGET}.rustflags={:?}", self.rustflags);
        cargo.args(["--target", TARGET, "--config", &config])
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
