//! Values as Python writes them: `str`, `repr` and `json.dumps`.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};
use std::fmt::Write;

/// `str(value)`.
pub(super) fn str(value: &Value) -> String {
    let mut text = String::new();
    match value.as_str() {
        Some(string) => text.push_str(string),
        None if value.is_undefined() => {}
        None => repr(value, &mut text),
    }
    text
}

#[expect(clippy::wildcard_enum_match_arm, reason = "minijinja's enum, which can grow")]
fn repr(value: &Value, out: &mut String) {
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => number(value, ["nan", "inf", "-inf"], out),
        ValueKind::String => repr_string(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (i, item) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                repr(&item, out);
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                repr(&key, out);
                out.push_str(": ");
                repr(&value.get_item(&key).unwrap_or_default(), out);
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
}

/// `repr(value)` with the keys of dictionaries in order, as `pprint` writes what fits into a line.
pub(super) fn repr_sorted(value: &Value) -> String {
    let mut text = String::new();
    repr(&sorted(value), &mut text);
    text
}

#[expect(clippy::wildcard_enum_match_arm, reason = "minijinja's enum, which can grow")]
fn sorted(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().into_iter().flatten().map(|item| sorted(&item)).collect()
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            keys.sort();
            keys.into_iter().map(|key| (key.clone(), sorted(&value.get_item(&key).unwrap_or_default()))).collect()
        }
        _ => value.clone(),
    }
}

fn repr_string(string: &str, out: &mut String) {
    let quote = if string.contains('\'') && !string.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in string.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// An integer, or the shortest digits that give the same float; `odd` spells NaN and the infinities.
fn number(value: &Value, odd: [&str; 3], out: &mut String) {
    if value.is_integer() {
        out.push_str(&value.to_string());
        return;
    }
    let float = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    if float.is_nan() {
        out.push_str(odd[0]);
    } else if float.is_infinite() {
        out.push_str(odd[if float > 0.0 { 1 } else { 2 }]);
    } else if float != 0.0 && !(1e-4..1e16).contains(&float.abs()) {
        let scientific = format!("{float:e}");
        let (digits, exponent) = scientific.split_once('e').expect("`{:e}` writes an e");
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        out.push_str(&format!("{digits}e{sign}{exponent:0>2}"));
    } else {
        out.push_str(&format!("{float:?}"));
    }
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`, keys in their own order, as Hugging Face's `tojson` does.
pub(super) fn json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, indent, 0, &mut out)?;
    Ok(out)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "minijinja's enum, which can grow")]
fn write_json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => number(value, ["NaN", "Infinity", "-Infinity"], out),
        ValueKind::String => json_string(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            let mut separator = Separator::new(indent, depth);
            for item in value.try_iter()? {
                separator.before_item(out);
                write_json(&item, indent, depth + 1, out)?;
            }
            separator.after_items(out);
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            let mut separator = Separator::new(indent, depth);
            for key in value.try_iter()? {
                separator.before_item(out);
                json_string(&str(&key), out);
                out.push_str(": ");
                write_json(&value.get_item(&key)?, indent, depth + 1, out)?;
            }
            separator.after_items(out);
            out.push('}');
        }
        kind => return Err(Error::new(ErrorKind::BadSerialization, format!("{kind} cannot be written as JSON"))),
    }
    Ok(())
}

/// What stands between the items of a list or dictionary.
struct Separator {
    indent: Option<usize>,
    depth: usize,
    n_items: usize,
}

impl Separator {
    fn new(indent: Option<usize>, depth: usize) -> Self {
        Self { indent, depth, n_items: 0 }
    }

    fn before_item(&mut self, out: &mut String) {
        if self.n_items > 0 {
            out.push_str(if self.indent.is_some() { "," } else { ", " });
        }
        self.n_items += 1;
        self.new_line(self.depth + 1, out);
    }

    fn after_items(&self, out: &mut String) {
        if self.n_items > 0 {
            self.new_line(self.depth, out);
        }
    }

    fn new_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }
}

fn json_string(string: &str, out: &mut String) {
    out.push('"');
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes everything"),
            c => out.push(c),
        }
    }
    out.push('"');
}
