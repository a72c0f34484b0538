//! Binaryen's optimizer over wasm files, in place. What it made is kept, so an unchanged file costs nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{at_once, run};
use crate::folders::target_dir;
use crate::models::sha256_hex;
use crate::tools::WASM_OPT;

/// Speed first: the worker's time is spent in wasm, and the page is small either way.
const ARGS: [&str; 11] = [
    "-O3",
    "--enable-simd",
    "--enable-relaxed-simd",
    "--enable-threads",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Makes the files smaller and faster, all at the same time: the optimizer keeps one core busy.
pub(crate) fn shrink(files: &[PathBuf]) -> Result<()> {
    let wasm_opt = WASM_OPT.ensure()?;
    at_once(files, |file| shrink_file(&wasm_opt, file))
}

fn shrink_file(wasm_opt: &Path, file: &Path) -> Result<()> {
    let wasm = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let cache = target_dir().join("wasm-opt");
    let key = sha256_hex(&[&wasm, WASM_OPT.version.as_bytes(), ARGS.join(" ").as_bytes()].concat());
    let optimized = cache.join(key).with_extension("wasm");
    if !optimized.exists() {
        fs::create_dir_all(&cache)?;
        let partial = optimized.with_extension("part");
        run(Command::new(wasm_opt).args(ARGS).arg(file).arg("-o").arg(&partial))?;
        fs::rename(&partial, &optimized)?;
    }
    // Not a hard link: the next build writes into `file`.
    fs::copy(&optimized, file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}
