//! Takes numbers and strings from the first bytes of a file, and knows why it cannot.

use crate::error::{Error, ErrorKind};

/// Vocabularies of 262,144 tokens make headers of 7 MB; beyond this a count or a length is wrong.
const HEADER_BYTES_MAX: u64 = 64 << 20;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file goes on, but the bytes that are here do not.
    NeedMore { bytes: u64 },
    /// More bytes would not help.
    Failed(Error),
}

pub(super) type StopResult<T> = Result<T, Stop>;

impl Stop {
    pub(super) fn invalid(message: String) -> Self {
        Self::Failed(Error::new(ErrorKind::Invalid, message))
    }

    pub(super) fn unsupported(message: String) -> Self {
        Self::Failed(Error::new(ErrorKind::Unsupported, message))
    }
}

/// Names the part of the file in which reading failed.
pub(super) trait Context {
    /// `what` is asked only on failure.
    fn context(self, what: impl FnOnce() -> String) -> Self;
}

impl<T> Context for StopResult<T> {
    fn context(self, what: impl FnOnce() -> String) -> Self {
        self.map_err(|stop| match stop {
            Stop::NeedMore { bytes } => Stop::NeedMore { bytes },
            Stop::Failed(error) => Stop::Failed(Error::new(error.kind(), format!("{}: {error}", what()))),
        })
    }
}

/// A place in the header.
pub(super) struct Reader<'a> {
    head: &'a [u8],
    /// Never beyond `head`.
    at: usize,
    file_bytes: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(head: &'a [u8], file_bytes: u64) -> Self {
        Self { head, at: 0, file_bytes }
    }

    /// How far reading got, from the start of the file.
    pub(super) fn position(&self) -> u64 {
        self.at as u64
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// What is here and not yet read.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.head[self.at..]
    }

    pub(super) fn bytes(&mut self, n: u64) -> StopResult<&'a [u8]> {
        match usize::try_from(n).ok().and_then(|n| self.rest().get(..n)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(self.missing(n)),
        }
    }

    /// `n` values of `BYTES` bytes each.
    pub(super) fn chunks<const BYTES: usize>(&mut self, n: u64) -> StopResult<&'a [[u8; BYTES]]> {
        let bytes = self.bytes(n.saturating_mul(BYTES as u64))?;
        Ok(bytes.as_chunks().0)
    }

    pub(super) fn u32(&mut self) -> StopResult<u32> {
        Ok(u32::from_le_bytes(self.chunks(1)?[0]))
    }

    pub(super) fn u64(&mut self) -> StopResult<u64> {
        Ok(u64::from_le_bytes(self.chunks(1)?[0]))
    }

    pub(super) fn str(&mut self) -> StopResult<&'a str> {
        let n = self.u64()?;
        let start = self.at;
        let bytes = self.bytes(n)?;
        str::from_utf8(bytes).map_err(|error| {
            let at = start + error.valid_up_to();
            Stop::invalid(format!("the text at byte {at} of the file is not UTF-8"))
        })
    }

    fn missing(&self, n: u64) -> Stop {
        let (at, file_bytes) = (self.at, self.file_bytes);
        match (at as u64).checked_add(n).filter(|end| *end <= file_bytes) {
            Some(bytes) if bytes <= HEADER_BYTES_MAX => Stop::NeedMore { bytes },
            Some(_) => Stop::invalid(format!("{n} bytes from byte {at} of the file are more than a header can have")),
            None => Stop::invalid(format!(
                "{n} bytes should follow byte {at}, but the file ends at byte {file_bytes}: it is truncated or damaged"
            )),
        }
    }
}
