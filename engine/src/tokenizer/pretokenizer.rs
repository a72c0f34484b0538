//! How a byte-level BPE's text is split into words, by the name in `tokenizer.ggml.pre`.

use super::pattern::Pattern;
use super::{Result, unsupported};

/// One way of splitting, and what else goes by its name.
#[derive(Debug)]
pub(super) struct Pretokenizer {
    /// Each splits what those before it left in one piece.
    patterns: Vec<Pattern>,
    /// Whether a word that is a token is taken whole.
    pub ignore_merges: bool,
    /// Whether its models want a token at the start of a text, if the file does not say.
    pub add_bos: bool,
}

/// GPT-2's pattern.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";

/// Llama 3's pattern, with numbers in threes.
const WORDS_BY_THREE_DIGITS: &str = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The same with every digit for itself.
const WORDS_BY_DIGIT: &str = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A row: names, patterns.
type Row = (&'static [&'static str], &'static [&'static str]);

/// Names that mean the same to llama.cpp stand together.
const TABLE: &[Row] = &[
    (
        &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
        &[r"\p{N}", WORDS],
    ),
    (
        &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
            "gigachat",
            "a.x-4.0",
            "mellum",
        ],
        &[WORDS],
    ),
    (
        &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        &[WORDS_BY_THREE_DIGITS],
    ),
    (&["smaug-bpe", "dbrx"], &[WORDS_BY_THREE_DIGITS]),
    (
        &["qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"],
        &[WORDS_BY_DIGIT],
    ),
    (&["default"], &[r"[\p{P}\$\+<=>\^~\|]+", WORDS, r"\p{N}+", "[0-9][0-9][0-9]"]),
];

/// Llama 3 and what is called like it.
const LLAMA_3: &[&str] = TABLE[2].0;

impl Pretokenizer {
    /// By name. A file without one gets `default`; a name that is not known is an error, since any other way of splitting
    /// would quietly make the model worse.
    pub(super) fn new(name: Option<&str>) -> Result<Self> {
        let name = name.unwrap_or("default");
        let (_, patterns) = TABLE.iter().find(|(names, _)| names.contains(&name)).ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().flat_map(|(names, _)| names.iter().copied()).collect();
            unsupported(format!("the pre-tokenizer {name:?} is not known, only {}", known.join(", ")))
        })?;
        let compile = |source: &&str| Pattern::new(source).expect("a test compiles every pattern");
        let is_llama_3 = LLAMA_3.contains(&name);
        Ok(Self { patterns: patterns.iter().map(compile).collect(), ignore_merges: is_llama_3, add_bos: is_llama_3 })
    }

    /// The words of `text`: all of it, in order.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let split =
            |words: Vec<&'a str>, pattern: &Pattern| words.into_iter().flat_map(|word| pattern.split(word)).collect();
        self.patterns.iter().fold(vec![text], split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for name in TABLE.iter().flat_map(|(names, _)| *names) {
            assert_eq!(Pretokenizer::new(Some(name)).expect("it is in the table").split(" a1"), [" a", "1"], "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = Pretokenizer::new(Some("from-next-year")).expect_err("nobody knows it");
        assert!(error.to_string().starts_with("the pre-tokenizer \"from-next-year\" is not known, only smollm, "));
    }
}
