//! A value of the metadata, of any type that GGUF has.

use super::reader::{Context, Reader, Stop, StopResult};
use super::strings::Strings;

/// Real files nest nothing; this is only so that a hostile one cannot exhaust the stack.
const DEPTH_MAX: u32 = 8;

/// GGUF's numbers for the types that are not of one size.
pub(super) const STRING_ID: u32 = 8;
pub(super) const ARRAY_ID: u32 = 9;

macro_rules! values {
    ($($name:ident($type:ident) = $id:literal, $from:expr, $to:expr;)*) => {
        /// One value.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Value {
            $(#[doc = concat!("`", stringify!($type), "`.")] $name($type),)*
            /// Text.
            String(String),
            /// Many values of one type.
            Array(Array),
        }

        /// Many values of one type.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Array {
            $(#[doc = concat!("Of `", stringify!($type), "`.")] $name(Vec<$type>),)*
            /// Of text.
            String(Strings),
            /// Of arrays, each with a type of its own.
            Array(Vec<Array>),
        }

        impl Value {
            pub(super) fn read(reader: &mut Reader<'_>) -> StopResult<Self> {
                match reader.u32()? {
                    $($id => Ok(Self::$name($from(reader.chunks(1)?[0]))),)*
                    STRING_ID => Ok(Self::String(reader.str()?.to_string())),
                    ARRAY_ID => Ok(Self::Array(Array::read(reader, 0)?)),
                    id => Err(unknown_type(reader, id)),
                }
            }

            /// The type's number and the value as it stands in a file.
            pub(super) fn write(&self, file: &mut Vec<u8>) {
                match self {
                    $(Self::$name(value) => {
                        write_id(file, $id);
                        file.extend($to(*value));
                    })*
                    Self::String(text) => {
                        write_id(file, STRING_ID);
                        write_str(file, text);
                    }
                    Self::Array(array) => {
                        write_id(file, ARRAY_ID);
                        array.write(file);
                    }
                }
            }

            /// The type in words, for messages.
            pub(super) fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($type),)*
                    Self::String(_) => "a string",
                    Self::Array(array) => array.type_name(),
                }
            }
        }

        impl Array {
            fn read(reader: &mut Reader<'_>, depth: u32) -> StopResult<Self> {
                let id = reader.u32()?;
                let n = reader.u64()?;
                match id {
                    $($id => Ok(Self::$name(reader.chunks(n)?.iter().copied().map($from).collect())),)*
                    STRING_ID => Ok(Self::String(read_strings(reader, n)?)),
                    ARRAY_ID => Ok(Self::Array(read_arrays(reader, n, depth + 1)?)),
                    _ => Err(unknown_type(reader, id)),
                }
            }

            fn write(&self, file: &mut Vec<u8>) {
                match self {
                    $(Self::$name(values) => {
                        write_id(file, $id);
                        write_len(file, values.len());
                        values.iter().for_each(|value| file.extend($to(*value)));
                    })*
                    Self::String(strings) => {
                        write_id(file, STRING_ID);
                        write_len(file, strings.len());
                        strings.iter().for_each(|string| write_str(file, string));
                    }
                    Self::Array(arrays) => {
                        write_id(file, ARRAY_ID);
                        write_len(file, arrays.len());
                        arrays.iter().for_each(|array| array.write(file));
                    }
                }
            }

            fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => concat!("an array of ", stringify!($type)),)*
                    Self::String(_) => "an array of strings",
                    Self::Array(_) => "an array of arrays",
                }
            }
        }

        $(
            impl From<$type> for Value {
                fn from(value: $type) -> Self {
                    Self::$name(value)
                }
            }

            impl From<Vec<$type>> for Value {
                fn from(values: Vec<$type>) -> Self {
                    Self::Array(Array::$name(values))
                }
            }
        )*
    };
}

// id and both directions to little-endian bytes; a byte is true unless it is 0, as in ggml.
values! {
    U8(u8)     =  0, u8::from_le_bytes,  u8::to_le_bytes;
    I8(i8)     =  1, i8::from_le_bytes,  i8::to_le_bytes;
    U16(u16)   =  2, u16::from_le_bytes, u16::to_le_bytes;
    I16(i16)   =  3, i16::from_le_bytes, i16::to_le_bytes;
    U32(u32)   =  4, u32::from_le_bytes, u32::to_le_bytes;
    I32(i32)   =  5, i32::from_le_bytes, i32::to_le_bytes;
    F32(f32)   =  6, f32::from_le_bytes, f32::to_le_bytes;
    Bool(bool) =  7, |byte: [u8; 1]| byte != [0], |value: bool| [u8::from(value)];
    U64(u64)   = 10, u64::from_le_bytes, u64::to_le_bytes;
    I64(i64)   = 11, i64::from_le_bytes, i64::to_le_bytes;
    F64(f64)   = 12, f64::from_le_bytes, f64::to_le_bytes;
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_string())
    }
}

impl From<Strings> for Value {
    fn from(strings: Strings) -> Self {
        Self::Array(Array::String(strings))
    }
}

impl Value {
    /// The value of any of the integer types.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Self::U8(value) => Some((*value).into()),
            Self::I8(value) => Some((*value).into()),
            Self::U16(value) => Some((*value).into()),
            Self::I16(value) => Some((*value).into()),
            Self::U32(value) => Some((*value).into()),
            Self::I32(value) => Some((*value).into()),
            Self::U64(value) => Some((*value).into()),
            Self::I64(value) => Some((*value).into()),
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) | Self::Array(_) => None,
        }
    }
}

impl Array {
    /// The values as `u32`, if they are integers that fit.
    pub(super) fn to_u32s(&self) -> Option<Vec<u32>> {
        fn fit<T: Copy + TryInto<u32>>(values: &[T]) -> Option<Vec<u32>> {
            values.iter().map(|value| (*value).try_into().ok()).collect()
        }
        match self {
            Self::U8(values) => fit(values),
            Self::I8(values) => fit(values),
            Self::U16(values) => fit(values),
            Self::I16(values) => fit(values),
            Self::U32(values) => fit(values),
            Self::I32(values) => fit(values),
            Self::U64(values) => fit(values),
            Self::I64(values) => fit(values),
            Self::F32(_) | Self::F64(_) | Self::Bool(_) | Self::String(_) | Self::Array(_) => None,
        }
    }
}

fn read_strings(reader: &mut Reader<'_>, n: u64) -> StopResult<Strings> {
    let mut strings = Strings::default();
    for index in 0..n {
        strings.push(reader.str().context(|| format!("string {index} of {n}"))?);
    }
    Ok(strings)
}

fn read_arrays(reader: &mut Reader<'_>, n: u64, depth: u32) -> StopResult<Vec<Array>> {
    if depth > DEPTH_MAX {
        let at = reader.position();
        return Err(Stop::invalid(format!("arrays are nested deeper than {DEPTH_MAX} at byte {at} of the file")));
    }
    let mut arrays = Vec::new();
    for _ in 0..n {
        arrays.push(Array::read(reader, depth)?);
    }
    Ok(arrays)
}

fn unknown_type(reader: &Reader<'_>, id: u32) -> Stop {
    let at = reader.position();
    Stop::invalid(format!("type {id}, read before byte {at} of the file, is not one that GGUF metadata has"))
}

fn write_id(file: &mut Vec<u8>, id: u32) {
    file.extend(id.to_le_bytes());
}

pub(super) fn write_len(file: &mut Vec<u8>, len: usize) {
    file.extend((len as u64).to_le_bytes());
}

pub(super) fn write_str(file: &mut Vec<u8>, text: &str) {
    write_len(file, text.len());
    file.extend(text.as_bytes());
}
