//! Tokens to text, one at a time. A token may end in the middle of a character; its bytes wait for the rest.

use super::Tokenizer;
use std::str;

/// The state of one reply.
#[derive(Debug)]
pub struct Decoder {
    /// The start of a character that has not all come.
    pending: Vec<u8>,
    /// The tokenizer put a space before the text, so the first one is not the text's own.
    strip_space: bool,
    special: bool,
}

impl Decoder {
    pub(super) fn new(strip_space: bool, special: bool) -> Self {
        Self { pending: Vec::new(), strip_space, special }
    }

    /// The text that `token` completes, maybe none. Bytes that can be no character become U+FFFD.
    pub fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> String {
        let start = self.pending.len();
        tokenizer.bytes(token, self.special, &mut self.pending);
        if self.strip_space && self.pending.get(start) == Some(&b' ') {
            self.pending.remove(start);
        }
        self.strip_space = false;
        let rest = self.pending.split_off(whole_bytes(&self.pending));
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending = rest;
        text
    }

    /// What was still waiting, as U+FFFD: the reply ended within a character.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// How many of the bytes do not belong to a character that is only begun.
fn whole_bytes(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    bytes.len() - if is_begun { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::whole_bytes;

    #[test]
    fn only_a_begun_character_waits() {
        for (bytes, whole) in [
            (&b""[..], 0),
            (b"abc", 3),
            (b"ab\xc3", 2),
            (b"\xf0\x9f\x91", 0),
            (b"\xf0\x9f\x91\x8d", 4),
            (b"\xff", 1),
            (b"\xc3\x28", 2),
            (b"a\xff\xe2\x82", 2),
        ] {
            assert_eq!(whole_bytes(bytes), whole, "{bytes:?}");
        }
    }
}
