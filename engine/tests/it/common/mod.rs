//! What several integration tests need.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod architectures;
pub(crate) mod devices;
pub(crate) mod tiny;

use engine::gguf::{self, Gguf, Parsed};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The files that the golden sets are about.
pub(crate) const SMOLLM2: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
pub(crate) const GEMMA3: &str = "gemma-3-270m.Q4_K_M.gguf";

/// The path of a model in the workspace's `models` folder. If it is missing, xtask fetches it.
pub(crate) fn model_path(file: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    // Not by `parent`: in wasm, a path of Windows is one word.
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let path = root.join("models").join(file);
    // Wasm cannot ask, and fetches nothing.
    if cfg!(not(target_arch = "wasm32")) && !path.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status =
            Command::new(cargo).args(["run", "--package", "xtask", "--", "models", file]).current_dir(root).status();
        assert!(
            status.is_ok_and(|status| status.success()) && path.exists(),
            "`cargo xtask models {file}` did not fetch it"
        );
    }
    path
}

/// The header of a model's file.
pub(crate) fn model_header(file: &str) -> Gguf {
    let path = model_path(file);
    let file_bytes = path.metadata().expect("the file is there").len();
    let mut head_bytes = 1 << 20;
    loop {
        match gguf::parse(&read_head(&path, head_bytes), file_bytes).expect("a sound file") {
            Parsed::Complete(gguf) => return gguf,
            Parsed::NeedMore { bytes } => head_bytes = bytes,
        }
    }
}

fn read_head(path: &Path, bytes: u64) -> Vec<u8> {
    use std::io::Read;
    let mut head = Vec::new();
    let file = std::fs::File::open(path).expect("the file is there");
    file.take(bytes).read_to_end(&mut head).expect("it can be read");
    head
}

/// A file of `tests/golden`.
pub(crate) fn golden(file: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}
