//! The static site: Trunk's build of the page, the worker's other variants, smaller wasm, and the default model.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use crate::command::{command, path_starting_with, run, step};
use crate::profile::Build;
use crate::tools::{NODE, NPM, TRUNK, WASM_BINDGEN, ensure};
use crate::wasm::Toolchain;
use crate::{models, variants, wasm_opt};

/// Where the site is built, as in `Trunk.toml`.
pub(crate) const DIST: &str = "dist";

/// Builds the site from nothing but the sources; fetches the default model if it is not here.
pub(crate) fn build(build: Build) -> Result<()> {
    let dist = Path::new(DIST);
    let toolchain = step("tools for wasm", tools)?;
    step("default model", || models::fetch(&models::DEFAULT))?;
    step("page and worker", || trunk(&toolchain, build))?;
    variants::build(dist, build)?;
    if build == Build::Shipped {
        step("wasm-opt", || wasm_opt::shrink(&wasm_files(dist)?))?;
    }
    report(dist)
}

fn tools() -> Result<Toolchain> {
    ensure(&[&NODE, &NPM])?;
    WASM_BINDGEN.ensure()?;
    TRUNK.ensure()?;
    Toolchain::ensure()
}

/// Runs Trunk, which lays the page, the plain worker and what it copies into `dist/`.
fn trunk(toolchain: &Toolchain, build: Build) -> Result<()> {
    let mut trunk = command(TRUNK.ensure()?, ["build", "--release", "--skip-version-check"]);
    // Trunk takes wasm-bindgen from PATH, if it is the version that Cargo.lock names.
    trunk.env("PATH", path_starting_with(&WASM_BINDGEN.ensure()?)?);
    run(build.apply(toolchain.apply(&mut trunk)))?;
    let model = Path::new(DIST).join("models").join(models::DEFAULT.file);
    ensure!(model.exists(), "{} is missing: Trunk.toml does not copy the default model", model.display());
    Ok(())
}

/// Prints what a visitor downloads before the model.
fn report(dist: &Path) -> Result<()> {
    println!("\n  {:<28} {:>10} {:>10}", "dist/", "bytes", "gzip");
    for file in wasm_files(dist)? {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        let name = file.file_name().expect("a file in dist has a name").to_string_lossy();
        println!("  {name:<28} {:>10} {:>10}", bytes.len(), gzip.finish()?.len());
    }
    Ok(())
}

/// The wasm files of the site, by name.
fn wasm_files(dist: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dist).with_context(|| format!("cannot list {}", dist.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    Ok(files)
}
