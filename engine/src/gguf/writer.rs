//! Writes GGUF files: the tiny models of the tests.

use super::value::{write_len, write_str};
use super::{ALIGNMENT, MAGIC, Value};
use crate::dtype::DType;

/// A file in the making: entries and tensors in any number and order, then [`Writer::finish`].
///
/// It writes what it is told, so that tests can write what no file should say.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    entries: Vec<(String, Value)>,
    tensors: Vec<Tensor>,
}

#[derive(Debug, Clone)]
struct Tensor {
    name: String,
    dtype: DType,
    dims: Vec<u64>,
    bytes: Vec<u8>,
}

impl Writer {
    /// Adds an entry of metadata.
    pub fn entry(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.entries.push((key.to_string(), value.into()));
        self
    }

    /// Adds a tensor; `dims[0]` is the length of its rows.
    pub fn tensor(mut self, name: &str, dtype: DType, dims: &[u64], bytes: Vec<u8>) -> Self {
        self.tensors.push(Tensor { name: name.to_string(), dtype, dims: dims.to_vec(), bytes });
        self
    }

    /// The file.
    pub fn finish(&self) -> Vec<u8> {
        let mut file = Vec::new();
        file.extend(MAGIC);
        file.extend(3u32.to_le_bytes());
        write_len(&mut file, self.tensors.len());
        write_len(&mut file, self.entries.len());
        for (key, value) in &self.entries {
            write_str(&mut file, key);
            value.write(&mut file);
        }
        self.write_directory(&mut file);
        for tensor in &self.tensors {
            pad(&mut file, self.alignment());
            file.extend(&tensor.bytes);
        }
        file
    }

    fn write_directory(&self, file: &mut Vec<u8>) {
        let mut offset = 0;
        for tensor in &self.tensors {
            write_str(file, &tensor.name);
            file.extend(u32::try_from(tensor.dims.len()).expect("a few").to_le_bytes());
            file.extend(tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()));
            file.extend(tensor.dtype.ggml_id().to_le_bytes());
            write_len(file, offset);
            offset = (offset + tensor.bytes.len()).next_multiple_of(self.alignment());
        }
    }

    fn alignment(&self) -> usize {
        let own = self.entries.iter().find(|(key, _)| key == "general.alignment");
        let alignment = own.and_then(|(_, value)| value.integer()?.try_into().ok()).unwrap_or(ALIGNMENT);
        usize::try_from(alignment).expect("a small number")
    }
}

fn pad(file: &mut Vec<u8>, alignment: usize) {
    file.resize(file.len().next_multiple_of(alignment), 0);
}
