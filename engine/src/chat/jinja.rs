//! The environment a template runs in: Hugging Face's, through minijinja, with limits on time and memory.
//!
//! What `transformers` gives a template, and how its Jinja is set up:
//! <https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/utils/chat_template_utils.py>

use super::builtins::{self, Indent};
use super::guard::BOUNDED;
use super::methods;
use super::python;
use super::strftime::Now;
use crate::error::{Error, ErrorKind};
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, State, Value, filters, functions};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Result<T> = std::result::Result<T, minijinja::Error>;
/// minijinja's filter that cuts a list into so many parts, or into parts of so many.
type Cut = fn(&State<'_, '_>, Value, usize, Option<Value>) -> Result<Value>;
/// minijinja's filter that makes one value of many.
type Fold = fn(&State<'_, '_>, Value) -> Result<Value>;
/// One that orders them.
type Sort = fn(&State<'_, '_>, Value, Kwargs) -> Result<Value>;
/// One that chooses items by a test.
type Select = fn(&State<'_, '_>, Value, Option<Cow<'_, str>>, Rest<Value>) -> Result<Vec<Value>>;
/// One that chooses them by a test of an attribute.
type SelectAttr = fn(&State<'_, '_>, Value, Cow<'_, str>, Option<Cow<'_, str>>, Rest<Value>) -> Result<Vec<Value>>;

/// Steps for what a template does once, and for each message; known ones take a tenth of it.
const FUEL: usize = 50_000;
const FUEL_PER_MESSAGE: usize = 5_000;
/// All steps together print at most this much text that stands outside of tags.
const TEXT_BYTES_MAX: usize = 128 << 20;
/// A value can be this large, and in addition this many times the size of the messages.
const VALUE_BYTES: usize = 256 << 10;
const VALUE_PER_INPUT: usize = 4;
/// All values that a template makes and prints are together at most this many times as large as one can be.
const VALUES_MAX: usize = 256;
/// An item of a list counts as much as so many bytes.
const ITEM_BYTES: usize = 16;
/// To sort a list costs as much as to go through it so often: an item is compared with some others.
const SORT_WALKS: usize = 8;
/// Lists in lists in lists.
const DEPTH_MAX: usize = 16;
/// Macros in macros count ten. The stack of a WebAssembly thread has 1 MiB.
const RECURSION_MAX: usize = 100;

/// What a template is run with.
pub(super) struct Inputs {
    /// By name.
    pub(super) values: Value,
    pub(super) n_messages: usize,
    /// Bytes of the messages.
    pub(super) n_bytes: usize,
    pub(super) now: Now,
}

/// An environment that only compiles.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_trim_blocks(true);
    env.set_lstrip_blocks(true);
    env.set_recursion_limit(RECURSION_MAX);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // These make large values from small ones, and no known template uses them in a chat without tools.
    for filter in ["chain", "zip"] {
        env.remove_filter(filter);
    }
    env.remove_global("debug");
    env.add_function("raise_exception", |message: String| -> Result<()> {
        Err(minijinja::Error::from(minijinja::ErrorKind::InvalidOperation).with_source(Refused(message)))
    });
    builtins::install(&mut env);
    env
}

/// Runs a template; `source` has been through the guard.
pub(super) fn render(source: &str, longest_text_bytes: usize, inputs: Inputs) -> crate::error::Result<String> {
    let meter = Arc::new(Meter::new(inputs.n_bytes));
    let mut env = environment();
    let fuel = (FUEL + FUEL_PER_MESSAGE * inputs.n_messages).min(TEXT_BYTES_MAX / longest_text_bytes.max(1));
    env.set_fuel(Some(fuel as u64));
    meter.install(&mut env);
    env.add_function("strftime_now", move |format: &str| inputs.now.format(format));

    let template = env.template_from_str(source).map_err(|e| error(&e))?;
    let text = template.render(inputs.values).map_err(|e| error(&e))?;
    if text.len() > meter.value_bytes_max {
        return Err(error(&too_large("its output", meter.value_bytes_max)));
    }
    Ok(text)
}

/// What `raise_exception` was called with.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// The engine's error for minijinja's.
pub(super) fn error(error: &minijinja::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if let Some(Refused(message)) = e.downcast_ref() {
            let message = format!("The model's chat template refuses this conversation: {message}");
            return Error::new(ErrorKind::Template, message);
        }
        cause = e.source();
    }
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let what = if error.kind() == minijinja::ErrorKind::OutOfFuel {
        "takes too long".into()
    } else {
        format!("failed: {}", error.kind())
    };
    let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    Error::new(ErrorKind::Template, format!("The model's chat template {what}{detail}{line}."))
}

fn too_large(what: &str, bytes_max: usize) -> minijinja::Error {
    let detail = format!("{what} is larger than {bytes_max} bytes");
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, detail)
}

fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}

/// Weighs what a template makes.
struct Meter {
    value_bytes_max: usize,
    values_bytes_max: usize,
    /// Bytes that may still be made.
    left: AtomicUsize,
}

impl Meter {
    fn new(input_bytes: usize) -> Self {
        let value_bytes_max = input_bytes.saturating_mul(VALUE_PER_INPUT).saturating_add(VALUE_BYTES);
        let values_bytes_max = value_bytes_max.saturating_mul(VALUES_MAX);
        Self { value_bytes_max, values_bytes_max, left: AtomicUsize::new(values_bytes_max) }
    }

    fn install(self: &Arc<Self>, env: &mut Environment<'_>) {
        let meter = self.clone();
        env.add_filter(BOUNDED, move |value: &Value, may_be_namespace: Option<bool>| {
            if may_be_namespace == Some(true) && is_namespace(value) {
                return Ok(value.clone());
            }
            meter.weigh(value)
        });

        let meter = self.clone();
        env.set_formatter(move |out, _, value| {
            meter.weigh(value)?;
            let written = match value.as_str() {
                Some(text) => out.write_str(text),
                None => out.write_str(&python::str(value)),
            };
            written.map_err(|_| too_large("its output", meter.value_bytes_max))
        });

        let meter = self.clone();
        env.add_filter(
            "replace",
            move |state: &State<'_, '_>, text: Value, old: Value, new: Value, count: Option<i32>| {
                meter.method(
                    state,
                    &Value::from(python::str(&text)),
                    "replace",
                    &[Value::from(python::str(&old)), Value::from(python::str(&new)), Value::from(count.unwrap_or(-1))],
                )
            },
        );

        let meter = self.clone();
        env.add_filter("format", move |state: &State<'_, '_>, format: Value, args: Rest<Value>| {
            let text = python::str(&format);
            meter.charge(methods::filled(&text, '%', &args)?)?;
            filters::format(state, &format, args)
        });

        self.install_walks(env);

        let meter = self.clone();
        env.add_filter("join", move |values: Value, separator: Option<&str>| {
            meter.join(separator.unwrap_or(""), &values)
        });

        let meter = self.clone();
        env.set_unknown_method_callback(move |state, value, method, args| meter.method(state, value, method, args));
    }

    /// What goes through a whole list or text in one step.
    fn install_walks(self: &Arc<Self>, env: &mut Environment<'_>) {
        let meter = self.clone();
        env.add_function("range", move |lower: isize, upper: Option<isize>, step: Option<isize>| {
            let range = functions::range(lower, upper, step)?;
            meter.walk(&range)?;
            Ok(range)
        });
        let meter = self.clone();
        env.add_filter("last", move |value: Value| meter.walk(&value).and_then(|()| builtins::last(value)));
        for (name, filter) in [
            ("reverse", filters::reverse as fn(&Value) -> Result<Value>),
            ("lines", filters::lines),
            ("items", filters::items),
        ] {
            let meter = self.clone();
            env.add_filter(name, move |value: &Value| meter.walk(value).and_then(|()| filter(value)));
        }
        for (name, filter) in [("list", filters::list as Fold), ("min", filters::min), ("max", filters::max)] {
            let meter = self.clone();
            env.add_filter(name, move |state: &State<'_, '_>, value: Value| {
                meter.walk(&value)?;
                filter(state, value)
            });
        }
        let meter = self.clone();
        env.add_filter("sum", move |state: &State<'_, '_>, value: Value, kwargs: Kwargs| {
            meter.walk(&value)?;
            builtins::sum(state, value, &kwargs)
        });
        for (name, filter) in [("sort", filters::sort as Sort), ("unique", filters::unique)] {
            let meter = self.clone();
            env.add_filter(name, move |state: &State<'_, '_>, value: Value, kwargs: Kwargs| {
                meter.walk_times(SORT_WALKS, &value)?;
                filter(state, value, kwargs)
            });
        }
        for (name, filter) in [("batch", filters::batch as Cut), ("slice", filters::slice)] {
            let meter = self.clone();
            let cut = move |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
                meter.walk(&value)?;
                meter.charge(count.saturating_mul(ITEM_BYTES))?;
                filter(state, value, count, fill)
            };
            env.add_filter(name, cut);
        }
        let meter = self.clone();
        env.add_filter("groupby", move |value: Value, attribute: Option<&str>, kwargs: Kwargs| {
            meter.walk_times(SORT_WALKS, &value)?;
            filters::groupby(value, attribute, kwargs)
        });
        let meter = self.clone();
        env.add_filter("indent", move |value: Value, args: Rest<Value>| {
            let text = python::str(&value);
            let indent = Indent::new(&args)?;
            meter.charge(indent.bytes_added(&text))?;
            Ok(indent.apply(&text))
        });
        let meter = self.clone();
        env.add_filter("dictsort", move |value: &Value, kwargs: Kwargs| {
            meter.walk_times(SORT_WALKS, value)?;
            filters::dictsort(value, kwargs)
        });
        let meter = self.clone();
        env.add_filter("split", move |value: &Value, separator: Option<Arc<str>>, n_max: Option<i64>| {
            meter.walk(value)?;
            filters::split(value, separator, n_max)
        });
        let meter = self.clone();
        env.add_filter("map", move |state: &State<'_, '_>, value: Value, args: Rest<Value>| {
            meter.walk(&value)?;
            filters::map(state, value, args)
        });
        for (name, filter) in [("select", filters::select as Select), ("reject", filters::reject)] {
            let meter = self.clone();
            let select = move |state: &State<'_, '_>, value: Value, test: Option<Cow<'_, str>>, args: Rest<Value>| {
                meter.walk(&value)?;
                filter(state, value, test, args)
            };
            env.add_filter(name, select);
        }
        for (name, filter) in [("selectattr", filters::selectattr as SelectAttr), ("rejectattr", filters::rejectattr)] {
            let meter = self.clone();
            let select = move |state: &State<'_, '_>,
                               value: Value,
                               attr: Cow<'_, str>,
                               test: Option<Cow<'_, str>>,
                               args: Rest<Value>| {
                meter.walk(&value)?;
                filter(state, value, attr, test, args)
            };
            env.add_filter(name, select);
        }
    }

    /// Charges for going through a value.
    fn walk(&self, value: &Value) -> Result<()> {
        self.walk_times(1, value)
    }

    fn walk_times(&self, times: usize, value: &Value) -> Result<()> {
        let bytes = match (value.as_str(), value.len()) {
            (Some(text), _) => text.len(),
            (None, Some(n)) => n.saturating_mul(ITEM_BYTES),
            (None, None) => self.value_bytes_max,
        };
        self.charge(bytes.saturating_mul(times))
    }

    /// Python's methods of strings, lists and dictionaries.
    fn method(&self, state: &State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value> {
        self.charge(value.as_str().map_or(1, str::len))?;
        match (method, value.as_str(), args) {
            ("join", Some(separator), [values]) => return self.join(separator, values),
            ("replace", Some(text), [old, new, ..]) => {
                let new_bytes = new.as_str().map_or(0, str::len);
                let n_matches = old.as_str().map_or(0, |old| text.matches(old).count());
                self.charge(new_bytes.saturating_mul(n_matches))?;
            }
            ("format" | "format_map", Some(format), args) => self.charge(methods::filled(format, '{', args)?)?,
            _ => {}
        }
        methods::call(state, value, method, args)
    }

    fn join(&self, separator: &str, values: &Value) -> Result<Value> {
        let mut joined = String::new();
        for (i, value) in values.try_iter()?.enumerate() {
            self.weigh(&value)?;
            if i > 0 {
                joined.push_str(separator);
            }
            joined.push_str(&python::str(&value));
            if joined.len() > self.value_bytes_max {
                return Err(too_large("a value", self.value_bytes_max));
            }
        }
        self.charge(joined.len())?;
        Ok(Value::from(joined))
    }

    /// Refuses a value that is too large or too deep, or that a later assignment could make a part of itself. The result
    /// is equal, but no list in it is a view of a view of a view.
    fn weigh(&self, value: &Value) -> Result<Value> {
        let mut room = self.value_bytes_max;
        let weighed = self.weigh_parts(value, 0, &mut room)?;
        self.charge(self.value_bytes_max - room)?;
        Ok(weighed)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "minijinja's enum, which can grow")]
    fn weigh_parts(&self, value: &Value, depth: usize, room: &mut usize) -> Result<Value> {
        let bytes = ITEM_BYTES + value.as_str().map_or(0, str::len);
        *room = room.checked_sub(bytes).ok_or_else(|| too_large("a value", self.value_bytes_max))?;
        if value.as_object().is_some() && (depth == DEPTH_MAX || is_namespace(value)) {
            let detail = "a value is nested too deeply";
            return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, detail));
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| self.weigh_parts(&item, depth + 1, room));
                items.collect::<Result<Vec<_>>>().map(Value::from)
            }
            ValueKind::Map => {
                let mut entries = Vec::new();
                for key in value.try_iter()? {
                    let item = self.weigh_parts(&value.get_item(&key)?, depth + 1, room)?;
                    entries.push((self.weigh_parts(&key, depth + 1, room)?, item));
                }
                Ok(Value::from_iter(entries))
            }
            _ => Ok(value.clone()),
        }
    }

    fn charge(&self, bytes: usize) -> Result<()> {
        let left = self.left.load(Ordering::Relaxed).checked_sub(bytes);
        let left = left.ok_or_else(|| too_large("what it makes", self.values_bytes_max))?;
        self.left.store(left, Ordering::Relaxed);
        Ok(())
    }
}
