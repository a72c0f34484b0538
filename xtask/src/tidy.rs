//! The invariants of the repository that a compiler does not check.

mod imports;

use std::fs;
use std::path::Path;

use crate::command::{command, output};
use crate::folders::root;
use crate::models::DEFAULT;
use crate::tools::WASM_BINDGEN;

/// Longest file that anyone should have to read.
const LINES_MAX: usize = 450;

/// Files that were longer when the limit was lowered, and still are. None may be added, and none may reach the old limit.
const LONG_FILES: [&str; 8] = [
    "engine/src/cpu.rs",
    "engine/src/cpu/block.rs",
    "engine/src/cpu/matrix.rs",
    "engine/src/gpu.rs",
    "engine/src/gpu/fuse.rs",
    "engine/src/gpu/kernels.rs",
    "engine/src/sampler.rs",
    "ui/src/state/tests.rs",
];
const LONG_FILE_LINES_MAX: usize = 600;

/// Names that once meant something only in this project; the field's own have replaced them. The list grows with every renaming.
const RETIRED: [&str; 13] = [
    "Codes",
    "Draws",
    "Exchange",
    "Obstacle",
    "Stamp",
    "absorb",
    "dials",
    "place_in_codebook",
    "settle",
    "shelf",
    "soften",
    "start_drawing",
    "within_a_minute",
];

/// A text file of the repository.
struct Source {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// Every file that git knows or would add, with one of these extensions, under one of these paths.
    fn all(under: &[&str], extensions: &[&str]) -> Vec<Self> {
        let mut git = command("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--"]);
        let files = output(git.args(under).current_dir(root())).expect("git lists the files of the repository");
        let wanted = |path: &&str| extensions.iter().any(|extension| path.ends_with(&format!(".{extension}")));
        // A file that was deleted, but not yet in git's eyes, cannot be read.
        let read = |path: &str| Some(Self { path: path.to_owned(), text: fs::read_to_string(root().join(path)).ok()? });
        files.lines().filter(wanted).filter_map(read).collect()
    }

    /// Lines with their numbers, without those that are comments only.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_code = |(_, line): &(usize, &str)| !line.trim_start().starts_with("//");
        self.text.lines().zip(1..).map(|(line, number)| (number, line)).filter(is_code)
    }

    fn is_under(&self, prefixes: &[&str]) -> bool {
        prefixes.iter().any(|prefix| self.path.starts_with(prefix))
    }
}

/// Fails with every line of code in `sources` that has one of `words` as a whole word.
#[track_caller]
fn check_absent<'a>(sources: impl IntoIterator<Item = &'a Source>, words: &[&str], why: &str) {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            if words.iter().any(|word| has_word(line, word)) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    check_none(found, why);
}

/// Fails with everything that `found` has.
#[track_caller]
fn check_none(found: impl IntoIterator<Item = impl ToString>, why: &str) {
    let found: Vec<String> = found.into_iter().map(|item| item.to_string()).collect();
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

/// Whether `word` stands in `line` with no letter, digit or underscore on either side.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let starts = before.is_none_or(|c| !is_part(c)) || !word.starts_with(is_part);
        let ends = after.is_none_or(|c| !is_part(c)) || !word.ends_with(is_part);
        starts && ends
    })
}

fn rust() -> Vec<Source> {
    // The words that are looked for stand in this file.
    let mut sources = Source::all(&["engine", "ui", "xtask"], &["rs"]);
    sources.retain(|source| !source.path.starts_with("xtask/src/tidy"));
    sources
}

#[test]
fn a_model_never_sees_a_device() {
    let sources = rust();
    let models = sources.iter().filter(|s| {
        s.is_under(&["engine/src/model.rs", "engine/src/model/", "engine/src/plan.rs", "engine/src/plan/"])
    });
    let words = ["backend", "Backend", "cpu", "Cpu", "gpu", "Gpu", "wgpu", "reference", "Reference"];
    check_absent(models, &words, "a model writes a plan, and names no backend");
}

#[test]
fn wgpu_stays_under_gpu() {
    let sources = rust();
    let others = sources.iter().filter(|s| !s.is_under(&["engine/src/gpu"]));
    check_absent(others, &["wgpu"], "only engine/src/gpu knows wgpu");
}

#[test]
fn the_browser_stays_at_the_edge() {
    let sources = rust();
    let edge = ["engine/src/worker", "engine/src/store", "engine/src/bin/worker.rs", "ui/"];
    let others = sources.iter().filter(|s| !s.is_under(&edge));
    check_absent(others, &["web_sys", "js_sys"], "only the worker, the store and the page know the browser");
}

#[test]
fn kernels_are_chosen_by_format() {
    let mut sources = rust();
    let knows_types = ["engine/src/dtype.rs", "engine/src/quant", "engine/src/gguf"];
    sources.retain(|s| s.is_under(&["engine/src/"]) && !s.is_under(&knows_types) && !s.path.ends_with("/tests.rs"));
    check_absent(&sources, &["DType"], "a file's types are known where it is read; all else is told the format");
}

/// They are modules of a macro, which `cargo fmt` does not look into.
#[test]
fn weight_types_are_formatted() {
    let files: Vec<_> = Source::all(&["engine/src/quant"], &["rs"]).into_iter().map(|source| source.path).collect();
    let mut rustfmt = command("rustfmt", ["--edition", "2024", "--check"]);
    output(rustfmt.args(files).current_dir(root())).expect("rustfmt has nothing to change");
}

#[test]
fn unsafe_stays_in_two_places() {
    let sources = rust();
    let others = sources.iter().filter(|s| !s.is_under(&["engine/src/cpu/vector", "engine/src/cpu/pool"]));
    let words = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern", "unsafe("];
    check_absent(others, &words, "only vectors and the thread pool of the CPU need unsafe");
}

/// The names of the dependencies in one of the repository's manifests.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).expect("the manifest is there");
    let section = text.split("[dependencies]\n").nth(1).expect("it has dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ']).next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_page_knows_only_the_protocol() {
    let page = dependencies("ui/Cargo.toml");
    assert!(page.contains(&"protocol".to_owned()), "the page's dependencies are found: {page:?}");
    assert!(!page.contains(&"engine".to_owned()), "the page depends on the protocol, and not on the engine");
    assert_eq!(dependencies("engine/protocol/Cargo.toml"), ["serde"], "the protocol is plain data");
}

#[test]
fn every_test_runs() {
    check_absent(&rust(), &["todo!", "unimplemented!", "#[ignore", "#![ignore"], "nothing is left for later");
    let scripts = Source::all(&["e2e", "engine", "www"], &["mjs", "js", "ts"]);
    check_absent(&scripts, &[".only(", ".skip(", ".fixme(", ".fail("], "every browser test runs, and has to pass");
}

#[test]
fn retired_words_stay_away() {
    check_absent(&rust(), &RETIRED, "the field has a word for it, which replaced this one");
}

#[test]
fn files_are_short() {
    let long = Source::all(&[], &["rs", "wgsl", "mjs", "js", "css", "html", "toml"])
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path))
        .filter(|(n_lines, path)| {
            let is_known = LONG_FILES.contains(&path.as_str());
            *n_lines > if is_known { LONG_FILE_LINES_MAX } else { LINES_MAX }
        })
        .map(|(n_lines, path)| format!("{path}: {n_lines} lines"));
    check_none(long, &format!("a file has {LINES_MAX} lines at most; find the second noun in it"));
}

/// Executors match on every [`Op`] without a catch-all, so that the compiler names what a new one needs.
#[test]
fn every_op_is_named_in_every_executor() {
    let sources = rust();
    let text = |path: &str| {
        let source = sources.iter().find(|source| source.path == path);
        source.unwrap_or_else(|| panic!("{path} is where it always was")).text.as_str()
    };
    let ops = op_names(text("engine/src/plan/op.rs"));
    assert!(ops.len() >= 9, "the ops are found: {ops:?}");
    for executor in ["engine/src/reference.rs", "engine/src/cpu/op.rs", "engine/src/gpu/kernels.rs"] {
        let missing = ops.iter().filter(|op| !has_word(text(executor), &format!("Op::{op}")));
        check_none(missing, &format!("{executor} does not match every op"));
    }
    let tests = text("engine/tests/it/ops.rs");
    let untested = ops.iter().filter(|op| !has_word(tests, &format!("op::{op}")));
    check_none(untested, "engine/tests/it/ops.rs does not test every op");
}

/// The names in `ops! { module::Name, … }`, a line each.
fn op_names(text: &str) -> Vec<&str> {
    let (_, body) = text.split_once("\nops! {\n").expect("the ops are listed");
    let lines = body.lines().take_while(|line| *line != "}");
    lines.filter_map(|line| Some(line.trim().trim_end_matches(',').split_once("::")?.1)).collect()
}

/// A shader opens with what it computes; one that computes an op names the definition of it.
#[test]
fn shaders_name_their_reference() {
    let shaders = Source::all(&["shaders"], &["wgsl"]);
    assert!(shaders.len() > 20, "the shaders are found");
    check_none(shaders.iter().filter(|s| !s.text.starts_with("// ")).map(|s| &s.path), "a shader opens with a comment");
    let kernels = shaders.iter().filter(|s| s.path.matches('/').count() == 1);
    let nameless = kernels.filter(|s| !s.text.contains("Reference: engine/src/"));
    check_none(nameless.map(|s| &s.path), "a kernel names its reference");
    let known = rust();
    let sources =
        known.iter().find(|s| s.path == "engine/src/gpu/kernels/source.rs").expect("the fragments are listed");
    let name = |s: &&Source| s.path.trim_start_matches("shaders/").trim_end_matches(".wgsl").to_owned();
    let unused = shaders.iter().filter(|s| !sources.text.contains(&format!("= \"{}\";", name(s))));
    check_none(unused.map(|s| &s.path), "a shader is listed in engine/src/gpu/kernels/source.rs");
}

#[test]
fn shaders_are_files() {
    check_absent(&rust(), &["@compute", "@workgroup_size"], "WGSL stands in shaders/*.wgsl");
}

#[test]
fn versions_and_names_agree() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let crate_line = format!("wasm-bindgen = \"={}\"", WASM_BINDGEN.version);
    assert!(read("Cargo.toml").contains(&crate_line), "Cargo.toml and xtask/src/tools.rs name the same wasm-bindgen");
    assert!(read("Trunk.toml").contains(DEFAULT.file), "Trunk.toml copies the default model");
    assert!(!Path::new(root()).join("rust-toolchain.toml").exists(), "rustup would fetch what such a file names");
}

#[test]
fn ci_runs_the_tests() {
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    let commands: Vec<&str> = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(commands, ["set -euo pipefail", "cd \"$(dirname \"$0\")/..\"", "cargo xtask test"]);
}

#[test]
fn words_are_whole() {
    for (line, word, expected) in [
        ("use wgpu::Device;", "wgpu", true),
        ("let wgpu_like = 1;", "wgpu", false),
        ("my_unsafe", "unsafe", false),
        ("unsafe { x }", "unsafe", true),
        ("#![expect(unsafe_code)]", "unsafe", false),
        ("test.skip('x')", ".skip(", true),
        ("engine::gguf", "engine::", true),
        ("my_engine::gguf", "engine::", false),
    ] {
        assert_eq!(has_word(line, word), expected, "{line} has {word}");
    }
}
