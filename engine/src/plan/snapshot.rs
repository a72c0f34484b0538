//! What was read of a conversation, as bytes that can be stored: whoever restores them need not read it again.
//!
//! ```text
//! "MNSN" · version · fingerprint: u64 · n_written: u64 · n_tokens: u64 · tokens: u32 … · n_memories: u64 · (length: u64 · bytes) …
//! ```
//!
//! Everything is little-endian. The fingerprint is of the plan and of how its memories are laid out, not of the weights: which
//! file they are from is for whoever stores it to remember.

use super::Plan;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8; 4] = b"MNSN";
/// Counts changes of what stands in the bytes, the layout of memories included.
const VERSION: u32 = 1;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// [`Plan::fingerprint`].
    pub fingerprint: u64,
    /// What was read.
    pub tokens: Vec<u32>,
    /// Positions that were written: more than tokens where some were forgotten since. A ring keeps the last ones of these.
    pub n_written: usize,
    /// By [`super::Mem`], laid out as whoever runs the plan keeps them.
    pub memories: Vec<Vec<u8>>,
}

impl Snapshot {
    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let n_bytes = self.memories.iter().map(|memory| memory.len() + 8).sum::<usize>() + 4 * self.tokens.len() + 40;
        let mut bytes = Vec::with_capacity(n_bytes);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.fingerprint.to_le_bytes());
        bytes.extend_from_slice(&(self.n_written as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.tokens.len() as u64).to_le_bytes());
        self.tokens.iter().for_each(|token| bytes.extend_from_slice(&token.to_le_bytes()));
        bytes.extend_from_slice(&(self.memories.len() as u64).to_le_bytes());
        for memory in &self.memories {
            bytes.extend_from_slice(&(memory.len() as u64).to_le_bytes());
            bytes.extend_from_slice(memory);
        }
        bytes
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// `Invalid` if they are not those of a snapshot, or of another version.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut rest = Rest(bytes);
        if rest.take(4)? != MAGIC {
            return Err(invalid("it does not begin like one"));
        }
        if rest.u32()? != VERSION {
            return Err(invalid("it is of another version"));
        }
        let fingerprint = rest.u64()?;
        let n_written = rest.len()?;
        let n_tokens = rest.len()?;
        let tokens = rest.take(n_tokens.checked_mul(4).ok_or_else(too_short)?)?;
        let tokens = tokens.as_chunks().0.iter().map(|token| u32::from_le_bytes(*token)).collect();
        let mut memories = Vec::new();
        for _ in 0..rest.len()? {
            let n_bytes = rest.len()?;
            memories.push(rest.take(n_bytes)?.to_vec());
        }
        if !rest.0.is_empty() {
            return Err(invalid("it is longer than it says"));
        }
        Ok(Self { fingerprint, tokens, n_written, memories })
    }

    /// Copies a memory's bytes to the parts that it consists of.
    ///
    /// # Errors
    /// `Invalid` if there are not as many.
    pub fn copy_to(&self, mem: usize, parts: Vec<&mut [u8]>) -> Result<()> {
        let mut rest = Rest(self.memories.get(mem).ok_or_else(too_short)?);
        for part in parts {
            part.copy_from_slice(rest.take(part.len())?);
        }
        if rest.0.is_empty() { Ok(()) } else { Err(invalid("a memory is longer than it should be")) }
    }
}

impl Plan {
    /// A number that differs where a snapshot of one plan would be nothing for another. `layout` names whoever runs it, and
    /// everything that its layout of memories depends on.
    pub fn fingerprint(&self, layout: &str) -> u64 {
        let text = format!("{layout}\n{:?}\n{self}", self.memories);
        // FNV-1a. <http://www.isthe.com/chongo/tech/comp/fnv/>
        text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    }
}

/// That a snapshot is not what it should be, and why.
pub fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("What was kept of the conversation cannot be used: {why}."))
}

fn too_short() -> Error {
    invalid("it ends early")
}

/// Bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("there are four")))
    }

    fn u64(&mut self) -> Result<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("there are eight")))
    }

    /// A number of things, none of which can be more than memory has room for.
    fn len(&mut self) -> Result<usize> {
        usize::try_from(self.u64()?).map_err(|_| too_short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn snapshot() -> Snapshot {
        let memories = vec![vec![1, 2, 3], Vec::new(), vec![4]];
        Snapshot { fingerprint: 0x0123_4567_89AB_CDEF, tokens: vec![7, u32::MAX], n_written: 3, memories }
    }

    #[test]
    fn bytes_are_read_as_they_were_written() {
        assert_eq!(Snapshot::parse(&snapshot().to_bytes()).expect("it is one"), snapshot());
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_an_error() {
        let mut bytes = snapshot().to_bytes();
        for n in 0..bytes.len() {
            assert!(Snapshot::parse(&bytes[..n]).is_err(), "{n} bytes");
        }
        bytes.push(0);
        assert!(Snapshot::parse(&bytes).is_err());
    }

    #[test]
    fn no_flipped_byte_panics() {
        let bytes = snapshot().to_bytes();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                assert!(Snapshot::parse(&damaged).is_err() || at >= 8, "byte {at}");
            }
        }
    }

    #[test]
    fn a_memory_of_another_length_is_an_error() {
        let snapshot = snapshot();
        let mut bytes = [0; 4];
        let (a, b) = bytes.split_at_mut(1);
        assert!(snapshot.copy_to(0, vec![a, &mut b[..2]]).is_ok());
        assert_eq!(bytes, [1, 2, 3, 0]);
        for n in [2, 4] {
            assert!(snapshot.copy_to(0, vec![&mut bytes[..n]]).is_err());
        }
        assert!(snapshot.copy_to(3, Vec::new()).is_err());
    }
}
