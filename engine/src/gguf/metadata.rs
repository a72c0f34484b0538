//! What a file says of its model, by key.

use super::reader::{Context, Reader, Stop, StopResult};
use super::{Array, Strings, Value};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// Keys and their values. A missing key is `None`; a value of the wrong type is an error that names the key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: BTreeMap<String, Value>,
}

impl Metadata {
    /// The value of this key, whatever its type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Every key and its value, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A string.
    pub fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", |value| if let Value::String(text) = value { Some(text.as_str()) } else { None })
    }

    /// An integer of any type, if it fits.
    pub fn u32(&self, key: &str) -> Result<Option<u32>> {
        self.typed(key, "an integer of 32 bits", |value| value.integer()?.try_into().ok())
    }

    /// An integer of any type, unless negative.
    pub fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, "a positive integer", |value| value.integer()?.try_into().ok())
    }

    /// A float.
    pub fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "f32", |value| if let Value::F32(number) = value { Some(*number) } else { None })
    }

    /// A yes or no.
    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "bool", |value| if let Value::Bool(flag) = value { Some(*flag) } else { None })
    }

    /// An array of strings.
    pub fn strings(&self, key: &str) -> Result<Option<&Strings>> {
        self.typed(key, "an array of strings", |value| {
            if let Value::Array(Array::String(strings)) = value { Some(strings) } else { None }
        })
    }

    /// An array of floats.
    pub fn f32s(&self, key: &str) -> Result<Option<&[f32]>> {
        self.typed(key, "an array of f32", |value| {
            if let Value::Array(Array::F32(numbers)) = value { Some(numbers.as_slice()) } else { None }
        })
    }

    /// An array of integers of any type, if they fit; a single one counts as an array.
    pub fn u32s(&self, key: &str) -> Result<Option<Vec<u32>>> {
        self.typed(key, "an array of integers of 32 bits", |value| {
            if let Value::Array(array) = value {
                array.to_u32s()
            } else {
                Some(vec![value.integer()?.try_into().ok()?])
            }
        })
    }

    fn typed<'a, T>(&'a self, key: &str, wanted: &str, take: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        take(value).map(Some).ok_or_else(|| {
            let found = match value.integer() {
                Some(number) => number.to_string(),
                None => value.type_name().to_string(),
            };
            Error::new(ErrorKind::Invalid, format!("GGUF metadata {key:?} is {found}, not {wanted}"))
        })
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().map(|(key, value)| (key.into(), value)).collect() }
    }
}

/// Reads `n` entries. A key that is there twice is an error, as in llama.cpp.
pub(super) fn read(reader: &mut Reader<'_>, n: u64) -> StopResult<Metadata> {
    let mut entries = BTreeMap::new();
    for index in 0..n {
        let key = reader.str().context(|| format!("GGUF metadata, key {index} of {n}"))?;
        let value = Value::read(reader).context(|| format!("GGUF metadata {key:?}"))?;
        if entries.insert(key.to_string(), value).is_some() {
            return Err(Stop::invalid(format!("GGUF metadata {key:?} is there twice")));
        }
    }
    Ok(Metadata { entries })
}
