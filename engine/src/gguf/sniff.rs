//! What a file is that should have been GGUF: it tells the person which mistake was made.

/// In words, from the first bytes.
pub(super) fn guess(start: &[u8]) -> &'static str {
    let text = start.trim_ascii_start();
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix.as_bytes()));
    if begins("<!doctype") || begins("<html") || begins("<?xml") {
        "a web page; the address may be wrong, or need a login"
    } else if begins("version https://git-lfs") {
        "a Git LFS pointer, not the file it points to"
    } else if is_safetensors(start) {
        "safetensors; a GGUF conversion of the model is needed"
    } else if start.starts_with(b"PK\x03\x04") {
        "a zip archive or a PyTorch checkpoint"
    } else if start.starts_with(b"\x1f\x8b") {
        "a gzip archive"
    } else if [b"lmgg", b"fmgg", b"tjgg", b"algg"].iter().any(|magic| start.starts_with(*magic)) {
        "a model in ggml's format from before GGUF"
    } else if begins("{") || begins("[") {
        "JSON"
    } else if start.iter().all(|byte| *byte == 0) {
        "nothing but zeros; a download may have been interrupted"
    } else {
        "something else"
    }
}

/// u64 length of a JSON object, then the object. <https://huggingface.co/docs/safetensors>
fn is_safetensors(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{') && start[5..8] == [0; 3]
}
