//! The part of a file that is in memory: it grows at its end and is let go at its beginning.

/// See the module.
#[derive(Debug, Default)]
pub struct Buffer {
    /// The first `forgotten` bytes only wait to be overwritten.
    bytes: Vec<u8>,
    forgotten: usize,
    /// Offset in the file of the first byte that counts.
    start: u64,
}

impl Buffer {
    /// Offset in the file of the first byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Offset in the file after the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.bytes().len() as u64
    }

    /// What is here.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.forgotten..]
    }

    /// What is here from this offset in the file on.
    pub fn since(&self, offset: u64) -> &[u8] {
        let skipped = offset.saturating_sub(self.start).min(self.bytes().len() as u64);
        &self.bytes()[usize::try_from(skipped).expect("no more than what is in memory")..]
    }

    /// Lets go of what lies before this offset in the file.
    pub fn forget_until(&mut self, offset: u64) {
        let n = self.bytes().len() - self.since(offset).len();
        self.forgotten += n;
        self.start += n as u64;
    }

    /// The next bytes of the file.
    pub fn extend(&mut self, bytes: &[u8]) {
        // Only here, so that many small parts of one chunk do not move the rest of it again and again.
        self.bytes.drain(..self.forgotten);
        self.forgotten = 0;
        self.bytes.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_over_the_file() {
        let file: Vec<u8> = (0..100).collect();
        let mut buffer = Buffer::default();
        buffer.extend(&file[..10]);
        check(&buffer, &file, 0, 10);
        buffer.forget_until(4);
        check(&buffer, &file, 4, 10);
        buffer.forget_until(2);
        check(&buffer, &file, 4, 10);
        buffer.extend(&file[10..15]);
        check(&buffer, &file, 4, 15);
        assert_eq!(buffer.since(0), &file[4..15]);
        assert_eq!(buffer.since(12), &file[12..15]);
        assert_eq!(buffer.since(99), &[] as &[u8]);
        buffer.forget_until(99);
        check(&buffer, &file, 15, 15);
        buffer.extend(&file[15..20]);
        check(&buffer, &file, 15, 20);
    }

    #[track_caller]
    fn check(buffer: &Buffer, file: &[u8], start: usize, end: usize) {
        assert_eq!((buffer.start(), buffer.end(), buffer.bytes()), (start as u64, end as u64, &file[start..end]));
    }
}
