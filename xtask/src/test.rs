//! `cargo xtask test`: everything that must pass, in the order in which it is cheapest to find out.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::command::{command, run as run_command, seconds, step};
use crate::tools::WASM_TEST_RUNNER;
use crate::wasm::{TARGET, Toolchain};
use crate::{dist, models, scripts};

/// A named check.
type Check = (&'static str, fn() -> Result<()>);

const CHECKS: [Check; 8] = [
    ("format", format),
    ("clippy, native", clippy),
    ("clippy, wasm", clippy_wasm),
    ("models", || models::fetch_named(&[])),
    ("native tests", native_tests),
    ("wasm tests", wasm_tests),
    ("build of the page", dist::build),
    ("browser tests", scripts::browser_tests),
];

/// Runs every check, also after one has failed, and fails if any did.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        if let Err(error) = step(name, check) {
            println!("  error: {error:#}");
            failed.push(name);
        }
    }
    println!("\nin {}\n{} passed, {} failed", seconds(start.elapsed()), CHECKS.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn format() -> Result<()> {
    run_command(&mut command("cargo", ["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run_command(&mut command("cargo", ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn clippy_wasm() -> Result<()> {
    let mut clippy = command("cargo", ["clippy", "--quiet", "--target", TARGET]);
    clippy.args(["--package", "minnow-engine", "--package", "minnow-ui", "--", "-D", "warnings"]);
    run_command(Toolchain::ensure()?.apply(&mut clippy))
}

fn native_tests() -> Result<()> {
    run_command(&mut command("cargo", ["test", "--quiet", "--workspace"]))
}

fn wasm_tests() -> Result<()> {
    let mut test = command("cargo", ["test", "--quiet", "--target", TARGET, "--package", "minnow-engine", "--lib"]);
    test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", WASM_TEST_RUNNER.ensure()?);
    run_command(Toolchain::ensure()?.apply(&mut test))
}
