//! `cargo xtask test`: everything that must pass, in the order in which it is cheapest to find out.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::command::{command, output, run as run_command, seconds, step};
use crate::tools::{NODE, WASM_TEST_RUNNER, ensure, ensure_gpu};
use crate::variants::{PLAIN, RELAXED, VARIANTS};
use crate::wasm::{TARGET, Toolchain};
use crate::{dist, models, scripts};

/// A named check.
type Check = (&'static str, fn() -> Result<()>);

const CHECKS: [Check; 10] = [
    ("format", format),
    ("clippy, native", clippy),
    ("clippy, wasm", clippy_wasm),
    ("models", || models::fetch_named(&[])),
    ("native tests", native_tests),
    ("other subgroups", ops_on_other_subgroups),
    ("wasm tests", wasm_tests),
    ("ops in browsers", ops_in_browsers),
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
    ensure_gpu()?;
    run_command(&mut command("cargo", ["test", "--quiet", "--workspace"]))
}

/// The ops whose kernels depend on it, on subgroups of 4 and of 16: as large as the vectors of the program that stands in for
/// a GPU, which are of 8 by themselves.
fn ops_on_other_subgroups() -> Result<()> {
    ensure_gpu()?;
    for vector_bits in ["128", "512"] {
        // Of the whole workspace, as above: one package alone would be built anew, with fewer features of what it depends on.
        let mut test = command("cargo", ["test", "--quiet", "--workspace", "--test", "it", "--"]);
        run_command(
            test.args(["ops::attention", "ops::heads", "ops::feed_forward"]).env("LP_NATIVE_VECTOR_WIDTH", vector_bits),
        )?;
    }
    Ok(())
}

/// What is built differently for wasm, on wasm: the kernels of every variant of the worker, alone, and together those that
/// are the fastest on this processor. Node runs them.
fn wasm_tests() -> Result<()> {
    ensure(&[&NODE])?;
    let toolchain = Toolchain::ensure()?;
    // Threads are for browsers: their tests run there, if at all.
    for variant in VARIANTS.iter().filter(|variant| !variant.has_threads()) {
        println!("  variant {}", variant.name);
        for args in [&["--lib"][..], &["--test", "it", "--", "--skip", "shaders::", "--skip", "draws::"]] {
            let mut test = command("cargo", ["test", "--package", "minnow-engine"]);
            variant.apply(&toolchain, &mut test).args(args);
            test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", WASM_TEST_RUNNER.ensure()?)
                .env("NODE_ARGS", node_args());
            run_command(&mut test)?;
        }
    }
    Ok(())
}

/// Every op, every type of weights on shapes by turns, every shader, and draws, on the WebGPU of browsers: two programs in
/// Chromium that stand in for GPUs, and Firefox. Before that the kernels of relaxed SIMD, or of every variant if
/// `MINNOW_ALL_VARIANTS` is set, in the browser that runs them: Node may have another compiler.
fn ops_in_browsers() -> Result<()> {
    // The other variants' kernels have the same source; to build all for tests takes long.
    let has_all = std::env::var_os("MINNOW_ALL_VARIANTS").is_some();
    let toolchain = if has_all { Toolchain::ensure_with_source()? } else { Toolchain::ensure()? };
    for variant in VARIANTS.iter().filter(|variant| has_all || variant.name == RELAXED.name) {
        println!("  variant {}", variant.name);
        for args in [
            &["--lib"][..],
            &["--test", "it", "--", "--skip", "shaders::", "--skip", "draws::", "--skip", "agreement::"],
        ] {
            let mut test = command("cargo", ["test", "--package", "minnow-engine"]);
            scripts::browser_runner("lavapipe", variant.apply(&toolchain, &mut test))?;
            run_command(test.args(args))?;
        }
    }
    for adapter in ["lavapipe", "swiftshader", "firefox"] {
        let mut test = command("cargo", ["test", "--package", "minnow-engine"]);
        scripts::browser_runner(adapter, PLAIN.apply(&toolchain, &mut test))?;
        test.args(["--test", "it", "--", "--skip", "agreement::", "--skip", "memory::"]);
        run_command(test.env("MINNOW_OPS_ON_WEBGPU", "yes"))?;
    }
    Ok(())
}

/// Node 20 knows relaxed SIMD, but has it turned off, and its quick compiler gets the integer dot product wrong.
fn node_args() -> &'static str {
    let options = output(&mut command("node", ["--v8-options"])).unwrap_or_default();
    let is_old = options.contains("--experimental-wasm-relaxed-simd");
    if is_old { "--experimental-wasm-relaxed-simd,--no-liftoff" } else { "" }
}
