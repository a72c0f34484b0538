//! SHA-256, as Hugging Face publishes it for every large file.

use sha2::{Digest, Sha256};

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
        assert_eq!(checksum.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
