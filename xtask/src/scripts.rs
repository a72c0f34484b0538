//! The parts that are JavaScript: browser tests, browser benchmarks and the maker of the golden files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::{command, run, step};
use crate::dist::{self, DIST};
use crate::models;
use crate::tools::{CHROMIUM, NODE, NPM, ensure};

const E2E: &str = "e2e";
/// What the benchmark compares with: too large to be fetched for the tests.
const PEERS: &str = "e2e/bench";
const GOLDEN: &str = "engine/tests/golden";

/// `cargo xtask bench`: builds the site, then measures it in a browser.
pub(crate) fn bench(args: &[String]) -> Result<()> {
    dist::build()?;
    step("npm packages of the benchmark", || install(E2E).and_then(|()| install(PEERS)))?;
    ensure(&[&CHROMIUM])?;
    run(in_e2e(&mut command("node", ["bench.mjs"]))?.args(args))
}

/// `cargo xtask golden`: asks llama.cpp again.
pub(crate) fn golden() -> Result<()> {
    models::fetch_named(&[])?;
    step("npm packages of the golden files", || install(GOLDEN))?;
    step("golden files", || run(command("node", ["make.mjs"]).current_dir(GOLDEN)))
}

/// The browser tests, against the site in `dist/`.
pub(crate) fn browser_tests() -> Result<()> {
    install(E2E)?;
    ensure(&[&CHROMIUM])?;
    run(in_e2e(&mut command("npx", ["playwright", "test"]))?)
}

fn in_e2e(command: &mut Command) -> Result<&mut Command> {
    Ok(command.current_dir(E2E).env("MINNOW_DIST", fs::canonicalize(DIST)?))
}

/// `npm ci`, unless what is installed is what the lock file says. Nothing may download a browser or build C++.
fn install(folder: &str) -> Result<()> {
    ensure(&[&NODE, &NPM])?;
    let modified = |file: PathBuf| file.metadata().and_then(|metadata| metadata.modified()).ok();
    let locked = modified(Path::new(folder).join("package-lock.json"));
    let installed = modified(Path::new(folder).join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= locked {
        return Ok(());
    }
    let mut npm = command("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    run(npm.current_dir(folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))
}
