//! The builds of the worker: one source, several sets of CPU features.
//!
//! The page reads `variants.json` and starts the best variant that the browser validates: `worker_loader.js` for `plain`,
//! `worker_NAME_loader.js` for the others. Trunk builds `plain`; the others are built here and laid beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{at_once, command, run, step};
use crate::folders::target_dir;
use crate::profile::Build;
use crate::tools::WASM_BINDGEN;
use crate::wasm::{TARGET, Toolchain};

/// A build of the worker.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// Beyond those in `.cargo/config.toml`; all of them together.
    rustflags: &'static [&'static [&'static str]],
    /// If its memory is shared with helpers, which run the same program on it: the name of the same variant without that.
    alone: Option<&'static str>,
}

/// Fused multiply-add and dot products of bytes.
const RELAXED_SIMD: &[&str] = &["-Ctarget-feature=+relaxed-simd"];

/// What is exported is what makes a new thread's stack and thread-local variables.
const SHARED_MEMORY: &[&str] = &[
    "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals",
    "-Clink-arg=--shared-memory",
    "-Clink-arg=--import-memory",
    "-Clink-arg=--max-memory=4294967296",
    "-Clink-arg=--export=__wasm_init_tls",
    "-Clink-arg=--export=__tls_size",
    "-Clink-arg=--export=__tls_align",
    "-Clink-arg=--export=__tls_base",
];

/// The variant that every browser with SIMD can run.
pub(crate) const PLAIN: Variant = Variant { name: "plain", rustflags: &[], alone: None };

pub(crate) const RELAXED: Variant = Variant { name: "relaxed", rustflags: &[RELAXED_SIMD], alone: None };

/// Every variant; of those that a browser can run, the last is the fastest.
pub(crate) const VARIANTS: [Variant; 4] = [
    PLAIN,
    Variant { name: "plain-threads", rustflags: &[SHARED_MEMORY], alone: Some(PLAIN.name) },
    RELAXED,
    Variant { name: "threads", rustflags: &[RELAXED_SIMD, SHARED_MEMORY], alone: Some(RELAXED.name) },
];

/// Builds every variant but the plain one, at the same time because linking keeps one core busy; lists all for the page.
pub(crate) fn build(dist: &Path, build: Build) -> Result<()> {
    let toolchain = Toolchain::ensure_with_source()?;
    at_once(VARIANTS.iter().filter(|variant| variant.name != PLAIN.name), |variant| {
        step(&format!("worker, variant {}", variant.name), || variant.build(&toolchain, dist, build))
    })?;
    write(&dist.join("variants.json"), &format!("{:?}\n", VARIANTS.map(|variant| variant.name)))
}

impl Variant {
    fn build(&self, toolchain: &Toolchain, dist: &Path, build: Build) -> Result<()> {
        let mut cargo = command("cargo", ["build", "--release", "--package", "minnow-engine", "--bin", "worker"]);
        run(build.apply(self.apply(toolchain, &mut cargo)))?;

        let stem = format!("worker_{}", self.name);
        let mut bindgen = command(WASM_BINDGEN.ensure()?, ["--target", "web", "--no-typescript", "--out-name", &stem]);
        let wasm = self.target_dir().join(TARGET).join("release/worker.wasm");
        run(bindgen.arg("--out-dir").arg(dist).arg(wasm))?;
        let Some(alone) = self.alone else {
            return write(&dist.join(loader(self.name)), &format!("import init from './{stem}.js';await init();"));
        };
        let pages = initial_pages(&dist.join(format!("{stem}.js")))?;
        write(&dist.join(loader(self.name)), &shared_loader(&stem, pages, &loader(alone)))?;
        write(&dist.join(format!("{stem}_helper.js")), &helper(&stem))
    }

    pub(crate) fn has_threads(&self) -> bool {
        self.alone.is_some()
    }

    /// Makes `cargo` compile to wasm as this variant wants it, with a toolchain that has the library's source if there are
    /// threads.
    pub(crate) fn apply<'a>(&self, toolchain: &Toolchain, cargo: &'a mut Command) -> &'a mut Command {
        let config = format!("target.{TARGET}.rustflags={:?}", self.rustflags.concat());
        cargo.args(["--target", TARGET, "--config", &config]).env("CARGO_TARGET_DIR", self.target_dir());
        if self.has_threads() { toolchain.apply_with_std(cargo) } else { toolchain.apply(cargo) }
    }

    /// Where it is built. What has a standard library of its own is built apart, so that neither build spoils the other.
    fn target_dir(&self) -> PathBuf {
        if self.has_threads() { target_dir().join(self.name) } else { target_dir() }
    }
}

/// Where the worker of the variant `name` starts, as `ui/src/variant.rs` and Trunk say too.
fn loader(name: &str) -> String {
    if name == PLAIN.name { "worker_loader.js".to_owned() } else { format!("worker_{name}_loader.js") }
}

/// Starts a worker on shared memory. A device that refuses a large maximum gets a smaller one; Apple's are never asked for
/// more than 1 GiB, because they may end the tab instead of refusing (iPads say what they are to the page alone, which says it
/// in the address), and Android's, which refuse, not for more than 2 GiB. The worker reads what it was given; where that would
/// be less than the engine takes of the smallest device, it is the one whose loader is `alone`, whose memory needs no maximum.
fn shared_loader(stem: &str, initial_pages: u32, alone: &str) -> String {
    format!(
        "import init from './{stem}.js';
const device = (navigator.userAgent + location.search).match(/iPhone|iPad|Android/)?.[0];
let memory;
for (let maximum = {{ iPhone: 16384, iPad: 16384, Android: 32768 }}[device] ?? 65536; !memory && maximum >= 16384; maximum /= 2) {{
  try {{
    memory = new WebAssembly.Memory({{ initial: {initial_pages}, maximum, shared: true }});
    self.memoryPagesMax = maximum;
  }} catch {{
    // A smaller one.
  }}
}}
// A program on shared memory fails inside promises, of which the page hears nothing.
self.addEventListener('unhandledrejection', ({{ reason }}) => {{
  if (reason instanceof WebAssembly.RuntimeError) setTimeout(() => {{ throw reason; }});
}});
if (memory) await init({{ memory }});
else await import('./{alone}');
"
    )
}

/// A thread: the same program on the memory that it is sent.
fn helper(stem: &str) -> String {
    format!(
        "import init, {{ help, help_failed }} from './{stem}.js';
self.onmessage = async ({{ data: [module, memory, pool] }}) => {{
  const {{ __wbindgen_thread_destroy }} = await init({{ module_or_path: module, memory }});
  try {{
    help(pool);
  }} catch (error) {{
    help_failed();
    throw error;
  }}
  // Its stack is part of the memory that all share.
  __wbindgen_thread_destroy();
  self.close();
}};
"
    )
}

/// The size of the memory that the program asks for at its start, as wasm-bindgen wrote it down.
fn initial_pages(script: &Path) -> Result<u32> {
    let text = fs::read_to_string(script).with_context(|| format!("cannot read {}", script.display()))?;
    let pages = text.split_once("WebAssembly.Memory({initial:").and_then(|(_, rest)| rest.split_once(','));
    let (pages, _) = pages.with_context(|| format!("{} makes no memory", script.display()))?;
    pages.parse().with_context(|| format!("{} asks for {pages:?} pages of memory", script.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
