//! Python's methods of strings, lists and dictionaries, as far as a sandboxed Jinja template may call them.
//! <https://docs.python.org/3/library/stdtypes.html#string-methods>
//!
//! Positions count characters, white space is Python's, and what changes a value in place is refused, as Jinja's immutable
//! sandbox refuses it. `minijinja_contrib::pycompat` counts bytes and knows fewer methods; only `format` comes from there.

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, FormatStyle, State, Value, format_filter};

type Result<T> = std::result::Result<T, Error>;

/// The widest field that `format`, `center` and their like may fill.
pub(super) const WIDTH_MAX: usize = 4096;

/// Calls a method of a value.
///
/// # Errors
/// `UnknownMethod` where Python has none of this name, or none that does not change the value.
pub(super) fn call(state: &State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value> {
    match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => of_text(text, method, args),
        (ValueKind::Seq | ValueKind::Iterable, _) => of_list(value, method, args),
        (ValueKind::Map, _) => of_dictionary(state, value, method, args),
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

/// Calls a method of a string.
pub(super) fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Value> {
    if let Some(test) = test_of(method) {
        let () = from_args(args)?;
        return Ok(test(text).into());
    }
    match method {
        "capitalize" | "casefold" | "lower" | "upper" | "swapcase" | "title" => {
            let () = from_args(args)?;
            Ok(with_case(text, method).into())
        }
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<&str>,) = from_args(args)?;
            let is_stripped = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
            Ok(match method {
                "lstrip" => text.trim_start_matches(is_stripped),
                "rstrip" => text.trim_end_matches(is_stripped),
                _ => text.trim_matches(is_stripped),
            }
            .into())
        }
        "center" | "ljust" | "rjust" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            padded(text, width, fill.unwrap_or(' '), method)
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let digits = text.trim_start_matches(['+', '-']);
            let sign = if text.len() - digits.len() == 1 { &text[..1] } else { "" };
            let zeros = padded(&text[sign.len()..], width.saturating_sub(sign.len()), '0', "rjust")?;
            Ok(format!("{sign}{}", zeros.as_str().unwrap_or_default()).into())
        }
        "count" | "find" | "rfind" | "index" | "rindex" => {
            let (what, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            found(text, method, what, start, end)
        }
        "startswith" | "endswith" => {
            let (affix, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
            let Some((_, part)) = part(text, start, end) else { return Ok(false.into()) };
            let fits = |affix: &Value| match affix.as_str() {
                Some(affix) if method == "startswith" => Ok(part.starts_with(affix)),
                Some(affix) => Ok(part.ends_with(affix)),
                None => Err(invalid(format!("{method} takes a string or a tuple of strings"))),
            };
            if affix.as_str().is_some() {
                return fits(affix).map(Value::from);
            }
            let fitting: Vec<bool> = affix.try_iter()?.map(|affix| fits(&affix)).collect::<Result<_>>()?;
            Ok(fitting.contains(&true).into())
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            if separator.is_empty() {
                return Err(invalid("empty separator"));
            }
            let parts = match (text.split_once(separator), method) {
                (None, "partition") => [text, "", ""],
                (None, _) => ["", "", text],
                (Some((before, after)), "partition") => [before, separator, after],
                (Some(_), _) => {
                    let (before, after) = text.rsplit_once(separator).unwrap_or_default();
                    [before, separator, after]
                }
            };
            Ok(parts.into_iter().map(Value::from).collect())
        }
        "split" | "rsplit" => {
            let (separator, n_max, kwargs): (Option<Value>, Option<i64>, Kwargs) = from_args(args)?;
            let separator = separator.or(kwargs.get("sep")?).filter(|separator| !separator.is_none());
            let n_max = n_max.or(kwargs.get("maxsplit")?).and_then(|n| usize::try_from(n).ok());
            kwargs.assert_all_used()?;
            split(text, separator.as_ref(), n_max, method == "rsplit")
        }
        "splitlines" => {
            let (keeps_ends, kwargs): (Option<bool>, Kwargs) = from_args(args)?;
            let keeps_ends = keeps_ends.or(kwargs.get("keepends")?).unwrap_or(false);
            kwargs.assert_all_used()?;
            Ok(lines(text, keeps_ends))
        }
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            let count = count.and_then(|count| usize::try_from(count).ok());
            Ok(count.map_or_else(|| text.replace(old, new), |count| text.replacen(old, new, count)).into())
        }
        "expandtabs" => {
            let (tab,): (Option<usize>,) = from_args(args)?;
            expand_tabs(text, tab.unwrap_or(8)).map(Value::from)
        }
        "format" => format_filter(FormatStyle::StrFormat, text, args).map(Value::from),
        "format_map" => {
            let (map,): (&Value,) = from_args(args)?;
            let named = map.try_iter()?.map(|key| Ok((super::python::str(&key), map.get_item(&key)?)));
            let named: Kwargs = named.collect::<Result<Vec<(String, Value)>>>()?.into_iter().collect();
            of_text(text, "format", &[Value::from(named)])
        }
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

/// Methods that say whether a text is of a kind.
fn test_of(method: &str) -> Option<fn(&str) -> bool> {
    fn all(text: &str, is: fn(char) -> bool) -> bool {
        !text.is_empty() && text.chars().all(is)
    }
    Some(match method {
        "isalnum" => |text| all(text, char::is_alphanumeric),
        "isalpha" => |text| all(text, char::is_alphabetic),
        "isascii" => str::is_ascii,
        "isdecimal" | "isdigit" => |text| all(text, is_decimal),
        "isnumeric" => |text| all(text, char::is_numeric),
        "isspace" => |text| all(text, is_space),
        "islower" => |text| text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => |text| text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "istitle" => is_title,
        "isidentifier" => |text| {
            let is_start = |c: char| c.is_alphabetic() || c == '_';
            text.chars().next().is_some_and(is_start) && text.chars().all(|c| is_start(c) || c.is_alphanumeric())
        },
        "isprintable" => |text| text.chars().all(|c| !c.is_control() && (c == ' ' || !is_space(c))),
        _ => return None,
    })
}

/// Digits of any script; letters that are numbers are none.
fn is_decimal(c: char) -> bool {
    use unicode_general_category::{GeneralCategory, get_general_category};
    get_general_category(c) == GeneralCategory::DecimalNumber
}

/// What Python's `str.isspace` calls white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Words start with a capital and go on without.
fn is_title(text: &str) -> bool {
    let (mut has_cased, mut in_word) = (false, false);
    for c in text.chars() {
        if c.is_uppercase() == in_word && (c.is_uppercase() || c.is_lowercase()) {
            return false;
        }
        in_word = c.is_uppercase() || c.is_lowercase();
        has_cased |= in_word;
    }
    has_cased
}

fn with_case(text: &str, method: &str) -> String {
    match method {
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        // Full case folding, as far as it differs from lower case.
        "casefold" => text.to_lowercase().replace('ß', "ss").replace('ς', "σ"),
        "swapcase" => {
            let swap =
                |c: char| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() };
            text.chars().map(swap).collect()
        }
        "capitalize" => {
            let mut chars = text.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            first + &chars.as_str().to_lowercase()
        }
        _ => {
            let mut in_word = false;
            let title = text.chars().map(|c| {
                let cased = if in_word { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() };
                in_word = c.is_uppercase() || c.is_lowercase();
                cased
            });
            title.collect()
        }
    }
}

fn padded(text: &str, width: usize, fill: char, method: &str) -> Result<Value> {
    if width > WIDTH_MAX {
        return Err(invalid(format!("{method} fills at most {WIDTH_MAX} characters")));
    }
    let n = width.saturating_sub(text.chars().count());
    let left = match method {
        "ljust" => 0,
        "rjust" => n,
        // Where it cannot be even, Python puts the larger part left of texts that are centred in an odd width.
        _ => n / 2 + (n & width & 1),
    };
    let fill = |n: usize| std::iter::repeat_n(fill, n);
    Ok(fill(left).chain(text.chars()).chain(fill(n - left)).collect::<String>().into())
}

/// The characters from `start` to `end`, counted as Python's slices do, and how many stand before; none if `start` is
/// behind the text's end.
fn part(text: &str, start: Option<i64>, end: Option<i64>) -> Option<(usize, &str)> {
    if start.is_none() && end.is_none() {
        return Some((0, text));
    }
    let n = text.chars().count();
    let position = |at: i64| {
        let at = if at < 0 { at.saturating_add_unsigned(n as u64).max(0) } else { at };
        usize::try_from(at).unwrap_or(usize::MAX)
    };
    let (start, end) = (position(start.unwrap_or(0)), position(end.unwrap_or(i64::MAX)).min(n));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    (start <= end).then(|| (start, &text[byte(start)..byte(end)]))
}

fn found(text: &str, method: &str, what: &str, start: Option<i64>, end: Option<i64>) -> Result<Value> {
    let Some((before, part)) = part(text, start, end) else {
        return Ok(if method == "count" { 0 } else { -1 }.into());
    };
    if method == "count" {
        return Ok(part.matches(what).count().into());
    }
    let byte = if method.starts_with('r') { part.rfind(what) } else { part.find(what) };
    match byte {
        Some(byte) => Ok((before + part[..byte].chars().count()).into()),
        None if method.ends_with("index") => Err(invalid("substring not found")),
        None => Ok((-1).into()),
    }
}

fn split(text: &str, separator: Option<&Value>, n_max: Option<usize>, from_right: bool) -> Result<Value> {
    let mut parts: Vec<&str> = match separator {
        Some(separator) => {
            let separator = separator.as_str().ok_or_else(|| invalid("the separator must be a string"))?;
            if separator.is_empty() {
                return Err(invalid("empty separator"));
            }
            let n = n_max.map_or(usize::MAX, |n| n.saturating_add(1));
            if from_right { text.rsplitn(n, separator).collect() } else { text.splitn(n, separator).collect() }
        }
        None => words(text, n_max.unwrap_or(usize::MAX), from_right),
    };
    if from_right {
        parts.reverse();
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// The words between white space, the first `n_max` of them cut off from the rest; from the right, in reverse order.
fn words(text: &str, n_max: usize, from_right: bool) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = if from_right { text.trim_end_matches(is_space) } else { text.trim_start_matches(is_space) };
    while !rest.is_empty() {
        if words.len() == n_max {
            words.push(if from_right { rest.trim_start_matches(is_space) } else { rest.trim_end_matches(is_space) });
            break;
        }
        let word;
        if from_right {
            let at = rest.char_indices().rfind(|&(_, c)| is_space(c)).map_or(0, |(at, c)| at + c.len_utf8());
            word = &rest[at..];
            rest = rest[..at].trim_end_matches(is_space);
        } else {
            let at = rest.find(is_space).unwrap_or(rest.len());
            word = &rest[..at];
            rest = rest[at..].trim_start_matches(is_space);
        }
        words.push(word);
    }
    words
}

fn lines(text: &str, keeps_ends: bool) -> Value {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines: Vec<Value> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(is_end).unwrap_or(rest.len());
        let end = rest[at..].chars().next().map_or(0, char::len_utf8);
        let end = if rest[at..].starts_with("\r\n") { 2 } else { end };
        lines.push(rest[..if keeps_ends { at + end } else { at }].into());
        rest = &rest[at + end..];
    }
    lines.into()
}

fn expand_tabs(text: &str, tab: usize) -> Result<String> {
    if tab > WIDTH_MAX {
        return Err(invalid(format!("expandtabs fills at most {WIDTH_MAX} characters")));
    }
    let mut expanded = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if tab > 0 => {
                let n = tab - column % tab;
                expanded.extend(std::iter::repeat_n(' ', n));
                column += n;
            }
            '\t' => {}
            _ => {
                expanded.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(expanded)
}

/// The characters that a format can fill with its fields at most, whether it says their widths itself or takes them from
/// `args`; `field` is what begins one.
///
/// # Errors
/// If a field is wider than [`WIDTH_MAX`].
pub(super) fn filled(format: &str, field: char, args: &[Value]) -> Result<usize> {
    let said = format.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    let said = said.map(|n| n.parse().unwrap_or(usize::MAX)).max().unwrap_or(0);
    let takes_widths = format.contains('*') || format.split('}').any(|field| field.matches('{').count() > 1);
    let given = args.iter().filter_map(Value::as_i64).map(|n| usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX));
    let widest = if takes_widths { given.max().unwrap_or(0).max(said) } else { said };
    if widest > WIDTH_MAX {
        return Err(invalid(format!("a field is at most {WIDTH_MAX} characters wide")));
    }
    Ok(format.matches(field).count() * widest)
}

fn of_list(value: &Value, method: &str, args: &[Value]) -> Result<Value> {
    match method {
        "count" => {
            let (what,): (&Value,) = from_args(args)?;
            Ok(value.try_iter()?.filter(|item| item == what).count().into())
        }
        "index" => {
            let (what,): (&Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == *what);
            at.map(Value::from).ok_or_else(|| invalid("it is not in the list"))
        }
        "copy" => {
            let () = from_args(args)?;
            Ok(value.try_iter()?.collect())
        }
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

fn of_dictionary(state: &State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value> {
    match method {
        "copy" => {
            let () = from_args(args)?;
            Ok(value.clone())
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}
