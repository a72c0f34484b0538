//! `cargo xtask check`: what a change needs while it is made. No GPU, no browser, and nothing but the change is built anew.

use anyhow::Result;

use crate::command::{Times, command, run as run_command};
use crate::test;

/// Tests of `engine/tests/it` that need a GPU or take long, by parts of their names.
const NOT_NOW: [&str; 4] = ["gpu", "draws::", "agreement::", "memory::"];

/// Unit tests that open a GPU, in the same way.
const UNITS_WITH_GPU: [&str; 2] = ["gpu::device::", "gpu::decode_ahead::"];

/// Runs format, lints, tidy, and the tests that need no GPU; naga checks every shader among them.
pub(crate) fn run() -> Result<()> {
    let mut times = Times::default();
    times.step("format", test::format)?;
    // Cargo looks only at what changed, and at what depends on it.
    times.step("clippy, native", test::clippy)?;
    times.step("tidy and unit tests", || {
        let mut test = command("cargo", ["test", "--quiet", "--workspace", "--lib", "--bins", "--"]);
        run_command(test.args(UNITS_WITH_GPU.iter().flat_map(|name| ["--skip", name])))
    })?;
    times.step("op tests and shaders", op_tests)?;
    times.step("clippy, wasm", test::clippy_wasm)?;
    times.report("check")
}

fn op_tests() -> Result<()> {
    let mut test = command("cargo", ["test", "--quiet", "--workspace", "--test", "it", "--"]);
    test.args(NOT_NOW.iter().flat_map(|name| ["--skip", name]));
    run_command(test.env("MINNOW_WITHOUT_GPU", "yes"))
}
