//! A GGUF file's header: what the model is ([`Metadata`]) and where its weights lie ([`Tensor`]).
//!
//! ```text
//! "GGUF"  u32 version  u64 n_tensors  u64 n_entries
//! n_entries × { string key, u32 type, value }
//! n_tensors × { string name, u32 n_dims, n_dims × u64, u32 type, u64 offset }
//! zeros up to a multiple of general.alignment (32 if absent)
//! the tensors' bytes, each at its offset from here, each so aligned
//!
//! string = u64 bytes, UTF-8        array = u32 type, u64 count, values        all little-endian
//! ```
//!
//! [`parse`] is pure and incremental: give it the first bytes of the file, and it returns the header or says how many bytes
//! it needs. Nothing the file says is believed before it is checked: a count allocates only what bytes that are there can fill.
//!
//! <https://github.com/ggml-org/ggml/blob/9d325133eed396b7bf005a53a83d9747cbd8bde1/docs/gguf.md>

mod directory;
mod metadata;
mod reader;
mod sniff;
mod strings;
mod value;
mod writer;

pub use metadata::Metadata;
pub use strings::Strings;
pub use value::{Array, Value};
pub use writer::Writer;

use crate::dtype::DType;
use crate::error::Result;
use reader::{Reader, Stop, StopResult};

/// The first bytes of every GGUF file.
const MAGIC: &[u8; 4] = b"GGUF";

/// Where the tensors' bytes start and stand, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// The first request: most headers are between one and eight times this.
const FIRST_BYTES: u64 = 1 << 20;

/// A file's header.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// 2 or 3. They differ only in that 3 has a big-endian twin.
    pub version: u32,
    /// What the file says of its model.
    pub metadata: Metadata,
    /// In the order of the file's directory.
    pub tensors: Vec<Tensor>,
}

impl Gguf {
    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Where a tensor lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, different from all others.
    pub name: String,
    /// How its elements are stored.
    pub dtype: DType,
    /// One to four, none of them 0; the elements along the first are neighbours.
    pub dims: Vec<u64>,
    /// Of its first byte, from the start of the file.
    pub offset: u64,
    /// Its length, which the file has room for.
    pub size_bytes: u64,
}

impl Tensor {
    /// Elements in a row: whole blocks.
    pub fn cols(&self) -> usize {
        usize::try_from(self.dims[0]).expect("the directory checked it")
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        usize::try_from(self.dims[1..].iter().product::<u64>()).expect("the directory checked it")
    }
}

/// What came of the bytes given.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// The header was all there.
    Complete(Gguf),
    /// It goes on.
    NeedMore {
        /// Come again with at least this many bytes from the start of the file. Doubles, so few attempts are needed.
        bytes: u64,
    },
}

/// Reads the header from `head`, the first bytes of a file of `file_bytes`.
pub fn parse(head: &[u8], file_bytes: u64) -> Result<Parsed> {
    match header(&mut Reader::new(head, file_bytes)) {
        Ok(gguf) => Ok(Parsed::Complete(gguf)),
        Err(Stop::NeedMore { bytes }) => {
            let next = bytes.max(2 * head.len() as u64).max(FIRST_BYTES);
            Ok(Parsed::NeedMore { bytes: next.min(file_bytes) })
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn header(reader: &mut Reader<'_>) -> StopResult<Gguf> {
    let version = version(reader)?;
    let n_tensors = reader.u64()?;
    let n_entries = reader.u64()?;
    let metadata = metadata::read(reader, n_entries)?;
    let tensors = directory::read(reader, n_tensors, alignment(&metadata)?)?;
    Ok(Gguf { version, metadata, tensors })
}

fn version(reader: &mut Reader<'_>) -> StopResult<u32> {
    if reader.file_bytes() == 0 {
        return Err(Stop::invalid("the file is empty".to_string()));
    }
    let start = reader.rest();
    if reader.bytes(MAGIC.len() as u64)? != MAGIC {
        return Err(Stop::invalid(format!("this is not a GGUF file: {}", sniff::describe(start))));
    }
    let version = reader.u32()?;
    let problem = match version {
        2 | 3 => return Ok(version),
        1 => "version 1, which is too old".to_string(),
        _ if matches!(version.swap_bytes(), 1..=0xFF) => "big-endian".to_string(),
        _ => format!("version {version}, which is not known"),
    };
    Err(Stop::unsupported(format!("this GGUF file is {problem}: little-endian versions 2 and 3 can be read")))
}

fn alignment(metadata: &Metadata) -> StopResult<u64> {
    let alignment = metadata.u64("general.alignment").map_err(Stop::Failed)?.unwrap_or(ALIGNMENT);
    if !alignment.is_power_of_two() {
        return Err(Stop::invalid(format!("GGUF metadata \"general.alignment\" is {alignment}, not a power of two")));
    }
    Ok(alignment)
}

#[cfg(test)]
mod tests;
