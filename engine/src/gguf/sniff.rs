//! What a file is that should have been GGUF: it tells the person which mistake was made.

/// A clause about the file that starts like this.
pub(super) fn describe(start: &[u8]) -> String {
    match guess(start) {
        Some(kind) => format!("it looks like {kind}"),
        None => format!("it begins with \"{}\"", start[..start.len().min(SHOWN_BYTES)].escape_ascii()),
    }
}

/// Enough to recognise a sentence from a server.
const SHOWN_BYTES: usize = 40;

fn guess(start: &[u8]) -> Option<&'static str> {
    let text = start.trim_ascii_start();
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix.as_bytes()));
    if begins("<!doctype") || begins("<html") || begins("<?xml") {
        Some("a web page; the address may be wrong, or need a login")
    } else if begins("version https://git-lfs") {
        Some("a Git LFS pointer, not the file it points to")
    } else if is_safetensors(start) {
        Some("safetensors; the model must be converted to GGUF first")
    } else if start.starts_with(b"PK\x03\x04") {
        Some("a zip archive or a PyTorch checkpoint")
    } else if start.starts_with(b"\x1f\x8b") {
        Some("a gzip archive")
    } else if BEFORE_GGUF.iter().any(|magic| start.starts_with(*magic)) {
        Some("a model in one of ggml's formats from before GGUF")
    } else if begins("{") {
        Some("JSON")
    } else if start.iter().all(|byte| *byte == 0) {
        Some("zeros; its download may have been interrupted")
    } else {
        None
    }
}

/// "ggml", "ggmf", "ggjt" and "ggla", each written as a little-endian number.
const BEFORE_GGUF: [&[u8; 4]; 4] = [b"lmgg", b"fmgg", b"tjgg", b"algg"];

/// The u64 length of a JSON object, then the object. <https://huggingface.co/docs/safetensors>
fn is_safetensors(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{') && start[5..8] == [0; 3]
}
