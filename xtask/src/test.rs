//! `cargo xtask test`: everything that must pass, in the order in which it is cheapest to find out.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{Times, at_once, command, output, run as run_command};
use crate::profile::Build;
use crate::tools::{NODE, WASM_TEST_RUNNER, ensure, ensure_gpu};
use crate::variants::{PLAIN, RELAXED, VARIANTS};
use crate::wasm::{TARGET, Toolchain};
use crate::{cache, dist, models, scripts};

/// How much is tested.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Tier {
    /// What a change needs before it lands.
    Landing,
    /// What a release needs: also the shipped build, every variant, every golden prompt and every adapter.
    Full,
}

/// A named check.
type Check = (&'static str, fn(Tier) -> Result<()>);

const CHECKS: [Check; 10] = [
    ("format", |_| format()),
    ("clippy, native", |_| clippy()),
    ("clippy, wasm", |_| clippy_wasm()),
    ("models", |_| models::fetch_named(&[])),
    ("native tests", native_tests),
    ("other subgroups", |_| ops_on_other_subgroups()),
    ("wasm tests", wasm_tests),
    ("ops in browsers", ops_in_browsers),
    ("build of the page", |tier| dist::build(tier.site())),
    ("browser tests", |_| scripts::browser_tests()),
];

impl Tier {
    /// The build of the site that browsers test.
    fn site(self) -> Build {
        match self {
            Self::Landing => Build::Tested,
            Self::Full => Build::Shipped,
        }
    }

    /// Makes cargo build tests that read every golden prompt, if this is the tier for it.
    fn prompts(self, cargo: &mut Command) -> &mut Command {
        match self {
            Self::Landing => cargo,
            Self::Full => cargo.env("MINNOW_ALL_PROMPTS", "yes"),
        }
    }
}

/// Runs every check, also after one has failed, and fails if any did. Says how long each took.
pub(crate) fn run(tier: Tier) -> Result<()> {
    let _alone = cache::claim()?;
    let mut times = Times::default();
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        if let Err(error) = times.step(name, || check(tier)) {
            println!("  error: {error:#}");
            failed.push(name);
        }
    }
    times.report("test")?;
    println!("{} passed, {} failed", CHECKS.len() - failed.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

pub(crate) fn format() -> Result<()> {
    run_command(&mut command("cargo", ["fmt", "--all", "--check"]))
}

pub(crate) fn clippy() -> Result<()> {
    run_command(&mut command("cargo", ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

pub(crate) fn clippy_wasm() -> Result<()> {
    let mut clippy = command("cargo", ["clippy", "--quiet", "--target", TARGET]);
    clippy.args(["--package", "minnow-engine", "--package", "minnow-ui", "--", "-D", "warnings"]);
    run_command(Toolchain::ensure()?.apply(&mut clippy))
}

fn native_tests(tier: Tier) -> Result<()> {
    ensure_gpu()?;
    run_command(tier.prompts(&mut command("cargo", ["test", "--quiet", "--workspace"])))
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

/// What to leave out of the integration tests where there is no GPU, and where there is no file system either.
const NO_GPU: &[&str] = &["--skip", "shaders::", "--skip", "draws::"];
const NO_GPU_NO_MODEL: &[&str] = &["--skip", "shaders::", "--skip", "draws::", "--skip", "agreement::"];

/// What is built differently for wasm, on wasm, in Node: the plain kernels alone, and whole models, which need a file system, on
/// the fastest kernels of this processor. Those alone run in the browser that they are for ([`ops_in_browsers`]), whole models
/// on plain ones in the full tier.
fn wasm_tests(tier: Tier) -> Result<()> {
    ensure(&[&NODE])?;
    let toolchain = Toolchain::ensure()?;
    // Threads are for browsers: their tests run there, if at all.
    for variant in VARIANTS.iter().filter(|variant| !variant.has_threads()) {
        println!("  variant {}", variant.name);
        let programs: &[(&str, &[&str])] = match (tier, variant.name == RELAXED.name) {
            (Tier::Full, _) => &[("--lib", &[]), ("--test=it", NO_GPU)],
            (Tier::Landing, true) => &[("--test=it", &["agreement::"])],
            (Tier::Landing, false) => &[("--lib", &[]), ("--test=it", NO_GPU_NO_MODEL)],
        };
        for (program, args) in programs {
            let mut test = command("cargo", ["test", "--package", "minnow-engine", program]);
            tier.prompts(variant.apply(&toolchain, &mut test)).arg("--").args(*args);
            test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", WASM_TEST_RUNNER.ensure()?)
                .env("NODE_ARGS", node_args());
            run_command(&mut test)?;
        }
    }
    Ok(())
}

/// Every op, every type of weights on shapes by turns, every shader, and draws, on the WebGPU of browsers, at the same time:
/// Chromium with a program that stands in for a GPU, and Firefox. Before that the kernels of relaxed SIMD, or of every variant
/// in the full tier, in the browser that runs them: Node may have another compiler. The full tier asks a second program in
/// Chromium, which native tests know, and whose shaders go through the same compiler.
fn ops_in_browsers(tier: Tier) -> Result<()> {
    // The other variants' kernels have the same source; to build all for tests takes long.
    let is_full = tier == Tier::Full;
    let toolchain = if is_full { Toolchain::ensure_with_source()? } else { Toolchain::ensure()? };
    for variant in VARIANTS.iter().filter(|variant| is_full || variant.name == RELAXED.name) {
        println!("  variant {}", variant.name);
        for args in [&["--lib"][..], &[&["--test", "it", "--"], NO_GPU_NO_MODEL].concat()] {
            let mut test = command("cargo", ["test", "--package", "minnow-engine"]);
            scripts::browser_runner("lavapipe", variant.apply(&toolchain, &mut test))?;
            run_command(test.args(args))?;
        }
    }
    let on_webgpu = |adapter: &str, args: &[&str]| {
        let mut test = command("cargo", ["test", "--package", "minnow-engine", "--test", "it"]);
        scripts::browser_runner(adapter, PLAIN.apply(&toolchain, &mut test))?;
        run_command(test.args(args).env("MINNOW_OPS_ON_WEBGPU", "yes"))
    };
    let without_files = ["--", "--skip", "agreement::", "--skip", "memory::"];
    on_webgpu("swiftshader", &["--no-run"])?;
    at_once(["swiftshader", "firefox"], |adapter| on_webgpu(adapter, &without_files))?;
    if is_full {
        on_webgpu("lavapipe", &[&without_files[..], &["--skip", "shaders::"]].concat())?;
    }
    Ok(())
}

/// Node 20 knows relaxed SIMD, but has it turned off, and its quick compiler gets the integer dot product wrong.
fn node_args() -> &'static str {
    let options = output(&mut command("node", ["--v8-options"])).unwrap_or_default();
    let is_old = options.contains("--experimental-wasm-relaxed-simd");
    if is_old { "--experimental-wasm-relaxed-simd,--no-liftoff" } else { "" }
}
