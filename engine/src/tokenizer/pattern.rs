//! The regular expressions of pre-tokenizers, as much of them as those use.
//!
//! ```text
//! pattern = alternative | alternative …     the first that matches wins, however long
//! item    = set, then maybe ? * + or {m,n}  as many as there are, then fewer
//!         | (?!set)                         no such character follows
//!         | (?:pattern)?                    a match of it, or nothing
//! set     = a   \r   \s   \S   \p{L}   [a-z\p{N}]   [^\s\p{L}]   [\p{L}--[a-z]], the first without the second
//! ```
//!
//! A general engine and its tables would be a tenth of the whole app; this is all that GPT-2's descendants need, and classes
//! mean what they mean in llama.cpp. A match is one pass over the text with at most one step back per character.

use std::iter::Peekable;
use std::str::Chars;
use unicode_general_category::{GeneralCategory, get_general_category};

/// A compiled pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    alternatives: Vec<Vec<Item>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    Repeat { set: Set, min: usize, max: usize },
    NotFollowedBy(Set),
    Maybe(Pattern),
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
    classes: Vec<Class>,
    except: Option<Box<Self>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Mark,
    Punctuation,
    Symbol,
    Space,
    NotSpace,
}

impl Pattern {
    /// Compiles one of our own patterns; `None` if it is not of the form above.
    pub(super) fn new(source: &str) -> Option<Self> {
        let mut source = source.chars().peekable();
        let pattern = Self::parse(&mut source)?;
        source.next().is_none().then_some(pattern)
    }

    /// The alternatives up to the end of a group or of the source.
    fn parse(source: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let mut alternatives = vec![Vec::new()];
        while let Some(&next) = source.peek().filter(|next| **next != ')') {
            if next == '|' {
                source.next();
                alternatives.push(Vec::new());
            } else {
                alternatives.last_mut()?.push(Item::parse(source)?);
            }
        }
        Some(Self { alternatives })
    }

    /// Splits `text` into its matches and what lies between them.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let (mut parts, mut done, mut at) = (Vec::new(), 0, 0);
        while let Some(next) = text[at..].chars().next() {
            match self.match_len(&text[at..]) {
                Some(len) => {
                    parts.extend([&text[done..at], &text[at..at + len]]);
                    at += len;
                    done = at;
                }
                None => at += next.len_utf8(),
            }
        }
        parts.push(&text[done..]);
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// How many bytes match at the start of `text`, if any.
    fn match_len(&self, text: &str) -> Option<usize> {
        self.alternatives.iter().find_map(|items| match_items(items, text)).filter(|&len| len > 0)
    }
}

fn match_items(items: &[Item], text: &str) -> Option<usize> {
    match items {
        [] => Some(0),
        [Item::NotFollowedBy(set), rest @ ..] => match text.chars().next() {
            Some(next) if set.contains(next) => None,
            _ => match_items(rest, text),
        },
        [Item::Maybe(pattern), rest @ ..] => {
            let with = pattern.match_len(text).and_then(|len| Some(len + match_items(rest, &text[len..])?));
            with.or_else(|| match_items(rest, text))
        }
        [Item::Repeat { set, min, max }, rest @ ..] => {
            let most = text.chars().take(*max).take_while(|&next| set.contains(next)).count();
            let mut taken: &str = match text.char_indices().nth(most) {
                Some((end, _)) => &text[..end],
                None => text,
            };
            for _ in *min..=most {
                if let Some(len) = match_items(rest, &text[taken.len()..]) {
                    return Some(taken.len() + len);
                }
                let last = taken.chars().next_back()?;
                taken = &taken[..taken.len() - last.len_utf8()];
            }
            None
        }
    }
}

impl Item {
    fn parse(source: &mut Peekable<Chars<'_>>) -> Option<Self> {
        if source.next_if_eq(&'(').is_some() {
            source.next_if_eq(&'?')?;
            return match source.next()? {
                '!' => {
                    let set = Set::parse(source)?;
                    source.next_if_eq(&')').map(|_| Self::NotFollowedBy(set))
                }
                ':' => {
                    let pattern = Pattern::parse(source)?;
                    source.next_if_eq(&')')?;
                    source.next_if_eq(&'?').map(|_| Self::Maybe(pattern))
                }
                _ => None,
            };
        }
        let set = Set::parse(source)?;
        let (min, max) = match source.peek() {
            Some('?') => (0, 1),
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('{') => {
                let bounds: String = source.by_ref().skip(1).take_while(|&next| next != '}').collect();
                let (min, max) = bounds.split_once(',')?;
                return Some(Self::Repeat { set, min: min.parse().ok()?, max: max.parse().ok()? });
            }
            _ => return Some(Self::Repeat { set, min: 1, max: 1 }),
        };
        source.next();
        Some(Self::Repeat { set, min, max })
    }
}

impl Set {
    fn parse(source: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let mut set = Self::default();
        if source.next_if_eq(&'[').is_none() {
            set.add(source)?;
            return Some(set);
        }
        set.negated = source.next_if_eq(&'^').is_some();
        while source.next_if_eq(&']').is_none() {
            if source.next_if_eq(&'-').is_some() {
                source.next_if_eq(&'-')?;
                set.except = Some(Box::new(Self::parse(source)?));
            } else {
                set.add(source)?;
            }
        }
        Some(set)
    }

    /// One character, range or class.
    fn add(&mut self, source: &mut Peekable<Chars<'_>>) -> Option<()> {
        let first = match source.next()? {
            '\\' => match source.next()? {
                name @ ('p' | 's' | 'S') => {
                    self.classes.push(Class::parse(name, source)?);
                    return Some(());
                }
                'r' => '\r',
                'n' => '\n',
                escaped if escaped.is_ascii_punctuation() => escaped,
                _ => return None,
            },
            plain => plain,
        };
        let last = match source.next_if_eq(&'-') {
            Some(_) => source.next()?,
            None => first,
        };
        self.ranges.push((first, last));
        Some(())
    }

    fn contains(&self, character: char) -> bool {
        let in_range = self.ranges.iter().any(|&(first, last)| (first..=last).contains(&character));
        (in_range || self.classes.iter().any(|class| class.contains(character))) != self.negated
            && self.except.as_ref().is_none_or(|except| !except.contains(character))
    }
}

impl Class {
    /// The class that follows a backslash; `name` is its first letter.
    fn parse(name: char, source: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let property: String = match name {
            'p' => source.take_while(|&next| next != '}').collect(),
            _ => String::new(),
        };
        match (name, property.as_str()) {
            ('s', _) => Some(Self::Space),
            ('S', _) => Some(Self::NotSpace),
            (_, "{L") => Some(Self::Letter),
            (_, "{N") => Some(Self::Number),
            (_, "{M") => Some(Self::Mark),
            (_, "{P") => Some(Self::Punctuation),
            (_, "{S") => Some(Self::Symbol),
            _ => None,
        }
    }

    fn contains(self, character: char) -> bool {
        use GeneralCategory as G;
        let category = || get_general_category(character);
        match self {
            Self::Space => character.is_whitespace(),
            Self::NotSpace => !character.is_whitespace(),
            Self::Letter if character.is_ascii() => character.is_ascii_alphabetic(),
            Self::Number if character.is_ascii() => character.is_ascii_digit(),
            Self::Letter => matches!(
                category(),
                G::UppercaseLetter | G::LowercaseLetter | G::TitlecaseLetter | G::ModifierLetter | G::OtherLetter
            ),
            Self::Number => matches!(category(), G::DecimalNumber | G::LetterNumber | G::OtherNumber),
            Self::Mark => matches!(category(), G::NonspacingMark | G::SpacingMark | G::EnclosingMark),
            Self::Punctuation => matches!(
                category(),
                G::ConnectorPunctuation
                    | G::DashPunctuation
                    | G::OpenPunctuation
                    | G::ClosePunctuation
                    | G::InitialPunctuation
                    | G::FinalPunctuation
                    | G::OtherPunctuation
            ),
            Self::Symbol => {
                matches!(category(), G::MathSymbol | G::CurrencySymbol | G::ModifierSymbol | G::OtherSymbol)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[track_caller]
    fn check(pattern: &str, text: &str, parts: &[&str]) {
        assert_eq!(Pattern::new(pattern).expect("a pattern").split(text), parts, "{pattern}");
    }

    #[test]
    fn splits() {
        check("a", "", &[]);
        check("[0-9]{1,3}", "x1234y", &["x", "123", "4", "y"]);
        check("a?b+|c", "aabbcd", &["a", "abb", "c", "d"]);
        check(r"\s+(?!\S)", "a  b ", &["a", " ", " b", " "]);
        check(r"\s*[\r\n]+", "  \n  x", &["  \n", "  x"]);
        check(r"[^\s\p{L}\p{N}]+", "é!²?ж", &["é", "!", "²", "?", "ж"]);
        check(r"[\p{P}\$\+]+", "a.$b~", &["a", ".$", "b~"]);
        check(r"\p{M}|\p{S}", "e\u{301}€", &["e", "\u{301}", "€"]);
        check("a*", "b", &["b"]);
        check("a+(?:b|cd)?", "aabacaacd", &["aab", "a", "c", "aacd"]);
        check(r"[\p{L}--[a-z]]+", "aÉBc", &["a", "ÉB", "c"]);
    }

    #[test]
    fn what_is_not_understood_is_no_pattern() {
        for source in ["(a)", "(?=a)", "(?:a)", "a)", "[a", r"\p{Han}", r"\d", "a{3}", "a{x,y}"] {
            assert_eq!(Pattern::new(source), None, "{source}");
        }
    }
}
