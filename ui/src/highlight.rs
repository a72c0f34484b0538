//! Colours for code: by comments, strings, numbers and common words, which looks right in most languages.

/// What a piece of code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Comment,
    Keyword,
    Number,
    Text,
}

/// What sets languages apart.
struct Syntax {
    line_comments: &'static [&'static str],
    block_comment: Option<(&'static str, &'static str)>,
    quotes: &'static [char],
    /// SQL writes its words in any case.
    any_case: bool,
}

const C_LIKE: Syntax =
    Syntax { line_comments: &["//"], block_comment: Some(("/*", "*/")), quotes: &['"', '\'', '`'], any_case: false };
const SCRIPT: Syntax = Syntax { line_comments: &["#"], block_comment: None, quotes: &['"', '\''], any_case: false };
const SQL: Syntax =
    Syntax { line_comments: &["--"], block_comment: Some(("/*", "*/")), quotes: &['"', '\''], any_case: true };
const MARKUP: Syntax =
    Syntax { line_comments: &[], block_comment: Some(("<!--", "-->")), quotes: &['"'], any_case: false };

/// Words with a meaning of their own, in one language or another; sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "False", "None", "Self", "True", "abstract", "and", "as", "assert", "async", "await", "begin", "bool", "boolean",
    "break", "by", "case", "catch", "char", "class", "const", "continue", "crate", "create", "def", "default",
    "defer", "del", "delete", "do", "done", "double", "drop", "elif", "else", "end", "enum", "esac", "except",
    "export", "extends", "extern", "false", "fi", "final", "finally", "float", "fn", "for", "foreach", "from", "func",
    "function", "global", "go", "goto", "group", "having", "if", "impl", "implements", "import", "in", "inner",
    "insert", "instanceof", "int", "interface", "into", "is", "join", "lambda", "left", "let", "limit", "local",
    "long", "loop", "match", "mod", "module", "move", "mut", "namespace", "new", "nil", "nonlocal", "not", "null",
    "on", "or", "order", "package", "pass", "private", "protected", "pub", "public", "raise", "ref", "require",
    "return", "select", "self", "set", "short", "static", "string", "struct", "super", "switch", "table", "then",
    "this", "throw", "throws", "trait", "true", "try", "type", "typedef", "typeof", "union", "unsafe", "unsigned",
    "update", "use", "using", "values", "var", "void", "where", "while", "with", "yield",
];

/// The pieces of `code`, in order; together they are all of it.
pub fn highlight<'a>(language: &str, code: &'a str) -> Vec<(Kind, &'a str)> {
    let Some(syntax) = syntax(language) else { return vec![(Kind::Plain, code)] };
    let mut pieces = Vec::new();
    let (mut plain_from, mut at) = (0, 0);
    while at < code.len() {
        let (kind, len) = syntax.token(&code[at..]);
        if kind != Kind::Plain {
            pieces.extend((plain_from < at).then(|| (Kind::Plain, &code[plain_from..at])));
            pieces.push((kind, &code[at..at + len]));
            plain_from = at + len;
        }
        at += len;
    }
    pieces.extend((plain_from < at).then(|| (Kind::Plain, &code[plain_from..])));
    pieces
}

fn syntax(language: &str) -> Option<&'static Syntax> {
    match language.to_ascii_lowercase().as_str() {
        "c" | "c++" | "cpp" | "cs" | "csharp" | "css" | "dart" | "go" | "golang" | "h" | "java" | "javascript"
        | "js" | "json" | "jsx" | "kotlin" | "php" | "rs" | "rust" | "scala" | "scss" | "swift" | "ts" | "tsx"
        | "typescript" | "wgsl" | "zig" => Some(&C_LIKE),
        "bash" | "dockerfile" | "elixir" | "julia" | "makefile" | "perl" | "py" | "python" | "r" | "rb" | "ruby"
        | "sh" | "shell" | "toml" | "yaml" | "yml" | "zsh" => Some(&SCRIPT),
        "haskell" | "lua" | "sql" => Some(&SQL),
        "html" | "svg" | "vue" | "xml" => Some(&MARKUP),
        _ => None,
    }
}

impl Syntax {
    /// What `rest` begins with, and how long that is: at least one character.
    fn token(&self, rest: &str) -> (Kind, usize) {
        if let Some(len) = self.comment(rest) {
            return (Kind::Comment, len);
        }
        let first = rest.chars().next().expect("there is more code");
        match first {
            quote if self.quotes.contains(&quote) => {
                string(rest, quote).map_or((Kind::Plain, quote.len_utf8()), |len| (Kind::Text, len))
            }
            '0'..='9' => (Kind::Number, run(rest, |c| c.is_alphanumeric() || matches!(c, '.' | '_'))),
            c if c.is_alphabetic() || c == '_' => {
                let len = run(rest, |c| c.is_alphanumeric() || c == '_');
                (if self.is_keyword(&rest[..len]) { Kind::Keyword } else { Kind::Plain }, len)
            }
            other => (Kind::Plain, other.len_utf8()),
        }
    }

    fn comment(&self, rest: &str) -> Option<usize> {
        if self.line_comments.iter().any(|mark| rest.starts_with(mark)) {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        let (open, close) = self.block_comment.filter(|(open, _)| rest.starts_with(open))?;
        Some(rest[open.len()..].find(close).map_or(rest.len(), |at| open.len() + at + close.len()))
    }

    fn is_keyword(&self, word: &str) -> bool {
        let is = |word: &str| KEYWORDS.binary_search(&word).is_ok();
        is(word) || self.any_case && is(&word.to_ascii_lowercase())
    }
}

/// How long the string is that `rest` begins with. One that does not end in its line is none (a lifetime, an
/// apostrophe), unless three quotes or a backtick open it.
fn string(rest: &str, quote: char) -> Option<usize> {
    let triple = [quote; 3].iter().collect::<String>();
    if let Some(inner) = rest.strip_prefix(triple.as_str()) {
        return Some(inner.find(&triple).map_or(rest.len(), |at| at + 2 * triple.len()));
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return None,
            c if c == quote => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}

/// How many bytes of `rest` are of a kind.
fn run(rest: &str, is_of_it: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !is_of_it(c)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::Kind::{Comment, Keyword, Number, Plain, Text};
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn pieces() {
        for (language, code, want) in [
            (
                "rust",
                "let x1 = 42; // no",
                vec![(Keyword, "let"), (Plain, " x1 = "), (Number, "42"), (Plain, "; "), (Comment, "// no")],
            ),
            ("rust", "&'a str", vec![(Plain, "&'a str")]),
            ("python", "def f(): '''a\nb'''", vec![(Keyword, "def"), (Plain, " f(): "), (Text, "'''a\nb'''")]),
            ("js", r#"x = "a\"b""#, vec![(Plain, "x = "), (Text, r#""a\"b""#)]),
            ("sql", "SELECT a -- b", vec![(Keyword, "SELECT"), (Plain, " a "), (Comment, "-- b")]),
            ("html", "<p>don't</p><!-- x", vec![(Plain, "<p>don't</p>"), (Comment, "<!-- x")]),
            ("c", "/* still open", vec![(Comment, "/* still open")]),
            ("brainfuck", "+ 1 // \"", vec![(Plain, "+ 1 // \"")]),
        ] {
            assert_eq!(highlight(language, code), want, "{code}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        let code = "fn größe() -> &'static str { \"日本\\\"語\" } /* é */ 0xFF_u8 'a' ` x";
        for (end, _) in code.char_indices() {
            for language in ["rust", "python", "sql", "html", ""] {
                let joined: String = highlight(language, &code[..end]).iter().map(|(_, text)| *text).collect();
                assert_eq!(joined, code[..end]);
            }
        }
    }
}
