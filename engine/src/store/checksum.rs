//! Whether bytes are the right ones: SHA-256, as Hugging Face publishes it for every large file, and a fingerprint of
//! our own for what is stored here, which is fast enough for every load.

use sha2::{Digest, Sha256};
use std::hash::Hasher;
use twox_hash::XxHash64;

/// A checksum in the making: bytes go in, in the file's order.
#[derive(Default)]
pub struct Checksum(Sha256);

impl Checksum {
    /// The next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum in lower-case hexadecimal.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Notices stored bytes that are no longer what was written, by a fault; it is no defence against intent. XXH64.
#[derive(Clone, Default)]
pub struct Fingerprint(XxHash64);

impl Fingerprint {
    /// The next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The fingerprint of everything so far, in hexadecimal.
    pub fn value(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// The checksum of `bytes`.
pub fn of(bytes: &[u8]) -> String {
    let mut checksum = Checksum::default();
    checksum.update(bytes);
    checksum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn abc() {
        let mut checksum = Checksum::default();
        checksum.update(b"a");
        checksum.update(b"bc");
        let mut fingerprint = Fingerprint::default();
        for part in [&b"a"[..], b"", b"bc"] {
            fingerprint.update(part);
        }
        // What `xxhsum -H64` prints.
        assert_eq!(fingerprint.value(), "44bc2cf5ad770999");
        assert_eq!(checksum.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
