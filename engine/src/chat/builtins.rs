//! Filters, tests and globals of Jinja that minijinja lacks, or that take other values in Python.
//! <https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-filters>
//!
//! Python's filters of text take any value as `str` writes it, `int` and `float` have a default for what is no number, and an
//! undefined value is an empty list.

use super::methods;
use super::python;
use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

type Result<T> = std::result::Result<T, Error>;

/// Adds them; what can make large values is metered by the caller.
pub(super) fn install(env: &mut Environment<'_>) {
    for (name, method) in [("lower", "lower"), ("upper", "upper"), ("capitalize", "capitalize"), ("title", "title")] {
        env.add_filter(name, move |value: &Value| methods::of_text(&python::str(value), method, &[]));
    }
    env.add_filter("trim", |value: &Value, chars: Option<Value>| {
        methods::of_text(&python::str(value), "strip", &chars.into_iter().collect::<Vec<_>>())
    });
    env.add_filter("center", |value: &Value, width: Option<usize>| {
        methods::of_text(&python::str(value), "center", &[Value::from(width.unwrap_or(80))])
    });
    env.add_filter("string", |value: &Value| python::str(value));
    env.add_filter("safe", |value: &Value| python::str(value));
    for name in ["escape", "e", "forceescape"] {
        env.add_filter(name, |value: &Value| escaped(&python::str(value)));
    }
    env.add_filter("striptags", |value: &Value| minijinja_contrib::filters::striptags(python::str(value)));
    env.add_filter("filesizeformat", |value: f64, binary: Option<bool>| {
        minijinja_contrib::filters::filesizeformat(value.trunc(), binary)
    });
    env.add_filter("wordcount", |value: &Value| {
        let text = python::str(value);
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count()
    });
    env.add_filter("pprint", |value: &Value| python::repr_sorted(value));
    env.add_filter("tojson", tojson);
    env.add_filter("int", int);
    env.add_filter("float", |value: &Value, default: Option<f64>| number(value).or(default).unwrap_or(0.0));
    env.add_filter("round", round);
    env.add_filter("abs", |value: Value| {
        let is_bool = value.kind() == ValueKind::Bool;
        if is_bool { Ok(Value::from(u8::from(value.is_true()))) } else { minijinja::filters::abs(value) }
    });
    for name in ["length", "count"] {
        env.add_filter(name, |value: &Value| match value.is_undefined() {
            true => Ok(0),
            false => minijinja::filters::length(value),
        });
    }
    env.add_filter("first", |value: &Value| match value.is_undefined() {
        true => Ok(Value::UNDEFINED),
        false => minijinja::filters::first(value),
    });
    env.add_function("cycler", minijinja_contrib::globals::cycler);
    env.add_function("joiner", minijinja_contrib::globals::joiner);
    install_tests(env);
}

fn install_tests(env: &mut Environment<'_>) {
    let kind = |value: &Value| value.kind();
    env.add_test("callable", |value: &Value| value.is_undefined() || value.as_object().is_some_and(is_function));
    env.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    env.add_test("number", move |value: &Value| matches!(kind(value), ValueKind::Number | ValueKind::Bool));
    env.add_test("sequence", move |value: &Value| {
        value.is_undefined()
            || matches!(kind(value), ValueKind::String | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
    });
    for (name, method) in [("lower", "islower"), ("upper", "isupper")] {
        env.add_test(name, move |value: &Value| methods::of_text(&python::str(value), method, &[]));
    }
}

fn is_function(object: &minijinja::value::DynObject) -> bool {
    object.type_name().contains("Function") || object.type_name().ends_with("Macro")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")
}

/// A number, or a text that spells one.
#[expect(clippy::wildcard_enum_match_arm, reason = "minijinja's enum, which can grow")]
fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => value.as_str()?.trim().parse().ok(),
        _ => None,
    }
}

/// `int(value, default=0, base=10)`.
fn int(value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value> {
    let default = default.or(kwargs.get("default")?).unwrap_or_else(|| 0.into());
    let base: u32 = kwargs.get::<Option<u32>>("base")?.unwrap_or(10);
    kwargs.assert_all_used()?;
    if value.is_integer() {
        return Ok(value.clone());
    }
    if let Some(text) = value.as_str() {
        let digits = match base {
            2 => text.trim().trim_start_matches("0b"),
            8 => text.trim().trim_start_matches("0o"),
            16 => text.trim().trim_start_matches("0x"),
            10 => text.trim(),
            _ => return Err(Error::new(ErrorKind::InvalidOperation, "a base is 2, 8, 10 or 16")),
        };
        if let Ok(int) = i64::from_str_radix(digits, base) {
            return Ok(int.into());
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "as Python's int, but that it ends at 64 bits")]
    let int = number(value).filter(|number| number.is_finite()).map(|number| Value::from(number as i64));
    Ok(int.unwrap_or(default))
}

/// `round(value, precision=0, method='common')`: to even, as Python rounds.
fn round(value: &Value, precision: Option<i32>, method: Option<&str>, kwargs: Kwargs) -> Result<Value> {
    let precision = precision.or(kwargs.get("precision")?).unwrap_or(0);
    let method = match method {
        Some(method) => method,
        None => kwargs.get::<Option<&str>>("method")?.unwrap_or("common"),
    };
    kwargs.assert_all_used()?;
    if value.kind() == ValueKind::Bool || value.is_integer() && method == "common" {
        return Ok(number(value).map_or_else(
            || value.clone(),
            |_| if value.is_integer() { value.clone() } else { u8::from(value.is_true()).into() },
        ));
    }
    let number = number(value).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "only numbers can be rounded"))?;
    let scale = 10f64.powi(precision);
    let scaled = number * scale;
    let rounded = match method {
        "common" => scaled.round_ties_even(),
        "ceil" => scaled.ceil(),
        "floor" => scaled.floor(),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "the method is common, ceil or floor")),
    };
    Ok((rounded / scale).into())
}

/// `last(value)`: of a dictionary its last key.
pub(super) fn last(value: Value) -> Result<Value> {
    if value.is_undefined() {
        Ok(value)
    } else if value.kind() == ValueKind::Map {
        Ok(value.try_iter()?.last().unwrap_or_default())
    } else {
        minijinja::filters::last(value)
    }
}

/// `sum(values, attribute=None, start=0)`.
pub(super) fn sum(state: &State<'_, '_>, values: Value, kwargs: &Kwargs) -> Result<Value> {
    let values = match kwargs.get::<Option<Value>>("attribute")? {
        Some(attribute) => {
            let attribute = Kwargs::from_iter([("attribute", attribute)]);
            minijinja::filters::map(state, values, Rest(vec![attribute.into()]))?.into_iter().collect()
        }
        None => values,
    };
    let start = kwargs.get::<Option<Value>>("start")?;
    kwargs.assert_all_used()?;
    let values: Vec<Value> = start.into_iter().map(Ok).chain(values.try_iter()?.map(Ok)).collect::<Result<_>>()?;
    minijinja::filters::sum(state, values.into())
}

/// `indent(text, width=4, first=False, blank=False)`: every line begins with these words.
pub(super) struct Indent {
    by: String,
    first: bool,
    blank: bool,
}

impl Indent {
    pub(super) fn new(args: &[Value]) -> Result<Self> {
        let (width, first, blank, kwargs): (Option<Value>, Option<bool>, Option<bool>, Kwargs) = from_args(args)?;
        let width = width.or(kwargs.get("width")?).unwrap_or_else(|| 4.into());
        let first = first.or(kwargs.get("first")?).unwrap_or(false);
        let blank = blank.or(kwargs.get("blank")?).unwrap_or(false);
        kwargs.assert_all_used()?;
        let by = match width.as_str() {
            Some(by) => by.to_owned(),
            None => " ".repeat(usize::try_from(width)?.min(methods::WIDTH_MAX)),
        };
        Ok(Self { by, first, blank })
    }

    /// Bytes by which `text` gets longer at most.
    pub(super) fn bytes_added(&self, text: &str) -> usize {
        self.by.len().saturating_mul(text.matches('\n').count() + 1)
    }

    pub(super) fn apply(&self, text: &str) -> String {
        let line = |(i, line): (usize, &str)| {
            let is_indented = if i == 0 { self.first } else { self.blank || !line.is_empty() };
            if is_indented { format!("{}{line}", self.by) } else { line.to_owned() }
        };
        text.split('\n').enumerate().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// JSON is indented by no more than this.
const INDENT_MAX: usize = 16;

/// `tojson` as Hugging Face overrides it: no HTML escapes, and the keys in their own order.
fn tojson(value: &Value, kwargs: Kwargs) -> Result<Value> {
    let indent: Option<usize> = kwargs.get("indent")?;
    for ignored in ["ensure_ascii", "separators", "sort_keys"] {
        kwargs.get::<Option<Value>>(ignored)?;
    }
    kwargs.assert_all_used()?;
    python::json(value, indent.map(|indent| indent.min(INDENT_MAX))).map(Value::from)
}
