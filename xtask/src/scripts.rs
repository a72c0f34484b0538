//! The parts that are not Rust: browser tests, browser benchmarks and the makers of the golden files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, path_starting_with, run, step};
use crate::dist::{self, DIST};
use crate::folders::{root, target_dir};
use crate::models;
use crate::profile::Build;
use crate::tools::{CHROMIUM, FIREFOX, GOLDEN_PYTHON, NODE, NPM, PYTHON, WASM_TEST_RUNNER, ensure, ensure_gpu};
use crate::wasm::TARGET;

const E2E: &str = "e2e";
/// What Minnow is measured against; apart, because it is large and no test needs it.
const PEERS: &str = "e2e/bench";
const GOLDEN: &str = "engine/tests/golden";

/// The browser tests, against the site in `dist/`.
pub(crate) fn browser_tests() -> Result<()> {
    install(E2E)?;
    run(in_e2e(&mut command("npx", ["playwright", "test"]))?)
}

/// `cargo xtask bench`: builds the site, then measures it and its peers in a browser.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    dist::build(Build::Shipped)?;
    models::fetch_named(&[])?;
    step("npm packages", || install(E2E).and_then(|()| install(PEERS)))?;
    run(in_e2e(&mut command("node", ["bench.mjs"]))?.args(args))
}

/// `cargo xtask golden`: asks llama.cpp and the Python packages that define our formats again.
pub(crate) fn golden() -> Result<()> {
    models::fetch_named(&[])?;
    let python = step("Python packages", golden_python)?;
    step("npm packages", || install(GOLDEN))?;
    for maker in ["gguf/make.py", "quant/make.py", "chat/make.py"] {
        step(maker, || run(Command::new(&python).arg(Path::new(GOLDEN).join(maker))))?;
    }
    let mut make = command("node", ["make.mjs", "../../../models"]);
    make.current_dir(GOLDEN).env("PATH", path_starting_with(&python)?);
    step("make.mjs", || run(&mut make))?;
    conformance(&python)
}

/// Asks llama.cpp about the tiny models, which a test writes.
fn conformance(python: &Path) -> Result<()> {
    let test = ["test", "--quiet", "--workspace", "--test", "it", "conformance::every_architecture"];
    step("tiny models", || run(&mut command("cargo", test)))?;
    let models = std::path::absolute(target_dir().join("tmp/tiny-models")).context("there is no current folder")?;
    let mut make = command("node", ["conformance.mjs"]);
    make.arg(models).current_dir(GOLDEN).env("PATH", path_starting_with(python)?);
    step("conformance.mjs", || run(&mut make))
}

/// A Python of its own with the packages that the makers import.
fn golden_python() -> Result<PathBuf> {
    ensure(&[&PYTHON])?;
    let folder = std::path::absolute(target_dir().join("golden-python")).context("there is no current folder")?;
    let python = folder.join("bin/python3");
    if !python.exists() {
        run(command("python3", ["-m", "venv"]).arg(&folder))?;
    }
    run(command(&python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(GOLDEN_PYTHON))?;
    Ok(python)
}

/// The script that runs a program of wasm tests in a browser with this adapter, and what it needs, as cargo takes a runner.
pub(crate) fn browser_runner<'a>(adapter: &str, cargo: &'a mut Command) -> Result<&'a mut Command> {
    install(E2E)?;
    let script = root().join(E2E).join("ops.mjs");
    let runner = ["node", &script.to_string_lossy(), "--adapter", adapter].map(str::to_owned);
    let config = format!("target.{TARGET}.runner={runner:?}");
    let cargo = cargo.args(["--config", &config]).env("MINNOW_TEST_RUNNER", WASM_TEST_RUNNER.ensure()?);
    with_browsers(cargo)
}

/// Makes a command run among the browser tests, with the site, the browsers and the GPU that it needs.
fn in_e2e(command: &mut Command) -> Result<&mut Command> {
    let dist = fs::canonicalize(DIST).with_context(|| format!("there is no {DIST}/; cargo xtask dist builds it"))?;
    with_browsers(command.current_dir(E2E).env("MINNOW_DIST", dist))
}

/// Tells a command where the browsers are, and sees to it that there is a GPU for them.
fn with_browsers(command: &mut Command) -> Result<&mut Command> {
    ensure(&[&CHROMIUM, &FIREFOX])?;
    ensure_gpu()?;
    let [chromium, firefox] = [CHROMIUM, FIREFOX].map(|browser| browser.find());
    let chromium = chromium.context("Chromium was there a moment ago")?;
    let firefox = firefox.context("Firefox was there a moment ago")?;
    Ok(command.env("MINNOW_CHROMIUM", chromium).env("MINNOW_FIREFOX", firefox))
}

/// Installs the npm packages of a folder, unless that was done. Nothing may download a browser or build C++.
fn install(folder: &str) -> Result<()> {
    ensure(&[&NODE, &NPM])?;
    let modified = |file: &str| Path::new(folder).join(file).metadata().and_then(|metadata| metadata.modified()).ok();
    let installed = modified("node_modules/.package-lock.json");
    if installed.is_some() && installed >= modified("package-lock.json").max(modified("package.json")) {
        return Ok(());
    }
    // Where versions are exact in package.json and nothing hangs on the rest, there is no lock file.
    let verb = if modified("package-lock.json").is_some() { "ci" } else { "install" };
    let mut npm = command("npm", [verb, "--no-audit", "--no-fund", "--ignore-scripts"]);
    run(npm.current_dir(folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
}
