//! Makes a template safe to run: fuel counts steps, but not how much one step makes.
//!
//! `{% set ns.s = ns.s ~ ns.s %}`, forty times over, is a terabyte in a few hundred steps. So the source is rewritten
//! before it is compiled: whatever can make a larger value out of smaller ones goes through the filter [`BOUNDED`], which
//! refuses large and deeply nested values.
//!
//! ```text
//! a ~ b                 ((a ~ b)|bounded)              also + and *
//! [a, b]  {"k": v}      (([a, b])|bounded)
//! set ns.x = e          set ns.x = ((e)|bounded)
//! set x = e             set x = ((e)|bounded(true))    may be a namespace
//! ```
//!
//! The same pass counts what would otherwise nest without end in the compiler, and reads `{% generation %}` blocks, with
//! which Hugging Face marks the tokens to train on, as blocks that always run.

use crate::error::{Error, ErrorKind, Result};

/// The filter's name.
pub(super) const BOUNDED: &str = "bounded";

/// Known templates end at 30 KB.
const SOURCE_BYTES_MAX: usize = 256 << 10;
/// A chain of operators nests as deep as it is long.
const TAG_TOKENS_MAX: usize = 1000;
/// The operands of one chain are bounded, and so is what they make.
const CHAIN_MAX: usize = 100;
/// Each one nests in those before it.
const ELIF_MAX: usize = 200;

/// A template that can be compiled and run.
pub(super) struct Guarded {
    pub(super) source: String,
    /// Bytes of the longest text outside of tags: what one step can print without being asked.
    pub(super) longest_text_bytes: usize,
}

/// Rewrites a template.
pub(super) fn guard(source: &str) -> Result<Guarded> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(refuse(format!("has {} bytes; at most {SOURCE_BYTES_MAX} are read", source.len())));
    }
    let mut pass = Pass { rest: source, out: String::with_capacity(2 * source.len()), n_elif: 0 };
    let mut longest_text_bytes = 0;
    while !pass.rest.is_empty() {
        let text_bytes = tag_start(pass.rest).unwrap_or(pass.rest.len());
        longest_text_bytes = longest_text_bytes.max(text_bytes);
        pass.copy(text_bytes);
        if pass.rest.starts_with("{#") {
            pass.copy_through("#}");
        } else if pass.rest.starts_with("{{") {
            pass.tag("}}")?;
        } else if pass.rest.starts_with("{%") {
            let statement = pass.tag("%}")?;
            if statement == "raw" {
                let raw_bytes = end_of_raw(pass.rest);
                longest_text_bytes = longest_text_bytes.max(raw_bytes);
                pass.copy(raw_bytes);
            }
        }
    }
    Ok(Guarded { source: pass.out, longest_text_bytes })
}

fn refuse(reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Template, format!("The model's chat template {reason}."))
}

fn tag_start(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

fn end_of_raw(text: &str) -> usize {
    let is_end = |tag: &str| tag.trim_start_matches(['-', '+']).trim_start().starts_with("endraw");
    text.match_indices("{%").find(|(at, _)| is_end(&text[at + 2..])).map_or(text.len(), |(at, _)| at)
}

/// From the front of `rest` to the end of `out`.
struct Pass<'s> {
    rest: &'s str,
    out: String,
    n_elif: usize,
}

/// What stands between a pair of brackets, or between a tag's delimiters.
#[derive(Default)]
struct Group {
    /// Where `out` has the bracket, if it opens a list or a dictionary.
    literal: Option<usize>,
    /// Where `out` has the first token of the current chain: operands joined by operators that bind tighter than
    /// comparisons do.
    chain: Option<usize>,
    /// Operators of the chain that make larger values.
    n_growing: usize,
    /// Multiplications among them; a bounded string times a number is the largest of all.
    n_times: usize,
    /// Whether the last token ends an operand, so that a bracket after it is a call or an index.
    after_operand: bool,
    /// Whether the last word was `is`, or `is not`: the word after it names a test.
    after_is: bool,
}

impl<'s> Pass<'s> {
    fn copy(&mut self, n_bytes: usize) {
        let (copied, rest) = self.rest.split_at(n_bytes);
        self.out.push_str(copied);
        self.rest = rest;
    }

    fn copy_through(&mut self, end: &str) {
        self.copy(self.rest.find(end).map_or(self.rest.len(), |at| at + end.len()));
    }

    /// In brackets of its own, so that `.x` and `[0]` after it mean what they did.
    fn wrap(&mut self, start: usize, filter_arguments: &str) {
        self.out.insert_str(start, "((");
        self.out.extend([")|", BOUNDED, filter_arguments, ")"]);
    }

    /// Rewrites one tag, and returns its first word.
    fn tag(&mut self, end: &str) -> Result<&'s str> {
        self.copy(2);
        self.copy(usize::from(self.rest.starts_with(['-', '+'])));
        let is_statement = end == "%}";
        let mut statement = "";
        let mut groups = vec![Group::default()];
        // In `{% set ns.x = … %}`: whether there is a dot so far, and where the value starts, with that.
        let (mut has_dot, mut assigned) = (false, None);

        for n_tokens in 0.. {
            if n_tokens > TAG_TOKENS_MAX {
                return Err(refuse(format!("has a tag of more than {TAG_TOKENS_MAX} tokens")));
            }
            self.copy(self.rest.len() - self.rest.trim_start().len());
            let closes = self.rest.strip_prefix(['-', '+']).unwrap_or(self.rest).starts_with(end);
            if self.rest.is_empty() || groups.len() == 1 && closes {
                break;
            }
            let token = token(self.rest);
            let outermost = groups.len() == 1;
            let group = groups.last_mut().expect("the tag's own group stays");
            match token {
                "(" | "[" | "{" => {
                    let literal = (token != "(" && !group.after_operand).then_some(self.out.len());
                    group.chain.get_or_insert(self.out.len());
                    groups.push(Group { literal, ..Group::default() });
                    self.copy(1);
                }
                ")" | "]" | "}" => {
                    self.end_chain(group)?;
                    let literal = group.literal;
                    self.copy(1);
                    if let Some(start) = literal {
                        self.wrap(start, "");
                    }
                    if groups.len() > 1 {
                        groups.pop();
                    }
                    let outer = groups.last_mut().expect("the tag's own group stays");
                    (outer.after_operand, outer.after_is) = (true, false);
                }
                "," | ":" | "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" => {
                    self.end_chain(group)?;
                    self.copy(token.len());
                    if token == "=" && outermost && statement == "set" {
                        assigned.get_or_insert((self.out.len(), has_dot));
                    }
                }
                // `f(*list, **dictionary)`.
                "*" | "**" if !group.after_operand => self.copy(token.len()),
                // minijinja has no sign that changes nothing.
                "+" if !group.after_operand => self.replace(token, ""),
                "~" | "+" | "*" | "-" | "/" | "//" | "%" | "**" | "|" | "." => {
                    group.chain.get_or_insert(self.out.len());
                    group.n_growing += usize::from(matches!(token, "~" | "+" | "*"));
                    group.n_times += usize::from(token == "*");
                    has_dot |= outermost && token == ".";
                    (group.after_operand, group.after_is) = (false, false);
                    self.copy(token.len());
                }
                _ if is_statement && n_tokens == 0 => {
                    statement = token;
                    self.statement(token)?;
                }
                "is" => {
                    (group.after_operand, group.after_is) = (false, true);
                    self.copy(token.len());
                }
                "not" | "in" if group.after_is => {
                    group.after_is = token == "not";
                    self.copy(token.len());
                }
                "if" | "else" | "and" | "or" | "not" | "in" | "recursive" => {
                    self.end_chain(group)?;
                    self.copy(token.len());
                }
                _ => {
                    group.chain.get_or_insert(self.out.len());
                    (group.after_operand, group.after_is) = (true, false);
                    self.copy(token.len());
                }
            }
        }

        // A bracket that never closes is the compiler's to report.
        for group in groups.iter_mut().rev() {
            self.end_chain(group)?;
        }
        if let Some((start, to_attribute)) = assigned {
            self.wrap(start, if to_attribute { "" } else { "(true)" });
        }
        self.copy_through(end);
        Ok(statement)
    }

    fn statement(&mut self, word: &str) -> Result<()> {
        self.n_elif += usize::from(word == "elif");
        if self.n_elif > ELIF_MAX {
            return Err(refuse(format!("has more than {ELIF_MAX} elif branches")));
        }
        match word {
            "generation" => self.replace(word, "if true"),
            "endgeneration" => self.replace(word, "endif"),
            _ => self.copy(word.len()),
        }
        Ok(())
    }

    fn replace(&mut self, word: &str, by: &str) {
        self.out.push_str(by);
        self.rest = &self.rest[word.len()..];
    }

    fn end_chain(&mut self, group: &mut Group) -> Result<()> {
        if group.n_growing > CHAIN_MAX || group.n_times > 1 {
            return Err(refuse(format!(
                "joins more than {CHAIN_MAX} values, or multiplies more than two, in one expression"
            )));
        }
        if let (Some(start), 1..) = (group.chain, group.n_growing) {
            self.wrap(start, "");
        }
        *group = Group { literal: group.literal, ..Group::default() };
        Ok(())
    }
}

/// The first token of `text`, which is not empty and starts with no white space.
fn token(text: &str) -> &str {
    let first = text.chars().next().expect("text is not empty");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let n_bytes = if first == '"' || first == '\'' {
        end_of_string(text, first)
    } else if is_word(first) {
        text.find(|c| !is_word(c)).unwrap_or(text.len())
    } else if ["==", "!=", "<=", ">=", "**", "//"].iter().any(|two| text.starts_with(two)) {
        2
    } else {
        first.len_utf8()
    };
    &text[..n_bytes]
}

fn end_of_string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(source: &str, expected: Expect) {
        expected.assert_eq(&guard(source).expect("it is sound").source);
    }

    #[test]
    fn growth_is_bounded() {
        check("{{ a ~ b }}", expect!["{{ ((a ~ b )|bounded)}}"]);
        check("{{- a + '}}' + b.c[1:] -}}", expect!["{{- ((a + '}}' + b.c[1:] )|bounded)-}}"]);
        check("{{ a if b + c == d else e * 2 }}", expect!["{{ a if ((b + c )|bounded)== d else ((e * 2 )|bounded)}}"]);
        check(
            "{{ f(a ~ b, k=c + 1)|g(d ~ e) }}",
            expect!["{{ f(((a ~ b)|bounded), k=((c + 1)|bounded))|g(((d ~ e)|bounded)) }}"],
        );
        check("{{ (a ~ b) ~ c }}", expect!["{{ (((((a ~ b)|bounded)) ~ c )|bounded)}}"]);
        check("{{ a ~ b is string and c }}", expect!["{{ ((a ~ b is string )|bounded)and c }}"]);
        check("{{ a - b / c % d }}", expect!["{{ a - b / c % d }}"]);
    }

    #[test]
    fn literals_are_bounded_but_not_indices() {
        check("{{ [a, [b]] }}", expect!["{{ (([a, (([b])|bounded)])|bounded) }}"]);
        check("{{ [1, 2][0] }}{{ {'a': 1}.a }}", expect!["{{ (([1, 2])|bounded)[0] }}{{ (({'a': 1})|bounded).a }}"]);
        check("{{ a[b]['c'] }}", expect!["{{ a[b]['c'] }}"]);
        check("{{ {'a': {}}}}", expect!["{{ (({'a': (({})|bounded)})|bounded)}}"]);
        check("{{ x is not in ['a'] }}", expect!["{{ x is not in ((['a'])|bounded) }}"]);
        check("{{ x not in ['a'] }}", expect!["{{ x not in ((['a'])|bounded) }}"]);
    }

    #[test]
    fn assignments_are_bounded() {
        check("{% set ns.a = b %}", expect!["{% set ns.a =(( b )|bounded)%}"]);
        check("{%- set a = b -%}", expect!["{%- set a =(( b )|bounded(true))-%}"]);
        check("{% set a = b.c %}", expect!["{% set a =(( b.c )|bounded(true))%}"]);
        check("{% set a, b = c, d %}", expect!["{% set a, b =(( c, d )|bounded(true))%}"]);
        check("{% set a %}b{% endset %}", expect!["{% set a %}b{% endset %}"]);
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for source in [
            "text { } }} %} 'a ~ b'",
            "{# a ~ b #}{# open",
            "{% raw %}{{ a ~ b }}{% endraw %}",
            "{% for m in messages recursive %}{{ loop(m) }}{% endfor %}",
            "{{ 'é' }}é{{ \"\\\"~\" }}",
            "{{ open",
            "{% ",
        ] {
            assert_eq!(guard(source).expect("it is sound").source, source);
        }
        check("{%- generation -%}a{% endgeneration %}", expect!["{%- if true -%}a{% endif %}"]);
    }

    #[test]
    fn what_nests_without_end_is_refused() {
        let check = |source: String| assert!(guard(&source).is_err(), "{}", &source[..20]);
        check(" ".repeat(SOURCE_BYTES_MAX + 1));
        check(format!("{{{{ {} a }}}}", "not ".repeat(TAG_TOKENS_MAX)));
        check(format!("{{{{ a{} }}}}", "~a".repeat(CHAIN_MAX + 1)));
        check("{{ 'a' * 9 * 9 }}".into());
        check(format!("{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(ELIF_MAX + 1)));
    }
}
