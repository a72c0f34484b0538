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

/// The same with every digit for itself: Qwen 2's.
const WORDS_BY_DIGIT: &str = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The same with marks as parts of letters: Qwen 3.5's.
const WORDS_WITH_MARKS: &str = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-4o's pattern: words end where small letters are followed by capitals, and may end in a contraction. As in llama.cpp,
/// capitals are all letters but a to z, and small ones all but A to Z.
const WORDS_BY_CASE: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]*[\p{L}--[A-Z]]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|",
    r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]+[\p{L}--[A-Z]]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// Tekken's pattern: the same without contractions, and with every digit for itself.
const WORDS_BY_CASE_AND_DIGIT: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]*[\p{L}--[A-Z]]+|[^\r\n\p{L}\p{N}]?[\p{L}--[a-z]]+[\p{L}--[A-Z]]*|",
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// DeepSeek 3's: digits in threes, then runs of Chinese characters and kana, then words.
const DEEPSEEK_3: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
];

struct Row {
    /// To llama.cpp they mean the same.
    names: &'static [&'static str],
    patterns: &'static [&'static str],
    /// Words that are tokens are taken whole, and texts start with a token.
    like_llama_3: bool,
}

const TABLE: &[Row] = &[
    Row {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
        patterns: &[r"\p{N}", WORDS],
        like_llama_3: false,
    },
    Row {
        names: &[
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
        patterns: &[WORDS],
        like_llama_3: false,
    },
    Row {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        patterns: &[WORDS_BY_THREE_DIGITS],
        like_llama_3: true,
    },
    Row { names: &["smaug-bpe", "dbrx"], patterns: &[WORDS_BY_THREE_DIGITS], like_llama_3: false },
    Row {
        names: &["qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"],
        patterns: &[WORDS_BY_DIGIT],
        like_llama_3: false,
    },
    Row { names: &["qwen35"], patterns: &[WORDS_WITH_MARKS], like_llama_3: false },
    Row { names: &["gpt-4o", "llama4"], patterns: &[WORDS_BY_CASE], like_llama_3: false },
    Row { names: &["tekken"], patterns: &[WORDS_BY_CASE_AND_DIGIT], like_llama_3: true },
    Row { names: &["hunyuan-dense", "deepseek-v3"], patterns: &DEEPSEEK_3, like_llama_3: false },
    Row {
        names: &["default"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|]+", WORDS, r"\p{N}+", "[0-9][0-9][0-9]"],
        like_llama_3: false,
    },
];

impl Pretokenizer {
    /// By name. A file without one gets `default`; a name that is not known is an error, as in llama.cpp, since any other
    /// way of splitting would quietly make the model worse.
    pub(super) fn new(name: Option<&str>) -> Result<Self> {
        let name = name.unwrap_or("default");
        let row = TABLE.iter().find(|row| row.names.contains(&name)).ok_or_else(|| {
            let known: Vec<_> = names().collect();
            unsupported(format!("the pre-tokenizer {name:?} is not known, only {}", known.join(", ")))
        })?;
        let compile = |source: &&str| Pattern::new(source).expect("a test compiles every pattern");
        Ok(Self {
            patterns: row.patterns.iter().map(compile).collect(),
            ignore_merges: row.like_llama_3,
            add_bos: row.like_llama_3,
        })
    }

    /// The words of `text`: all of it, in order.
    pub(super) fn split<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let split =
            |words: Vec<&'a str>, pattern: &Pattern| words.into_iter().flat_map(|word| pattern.split(word)).collect();
        self.patterns.iter().fold(vec![text], split)
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|row| row.names.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for name in names() {
            assert_eq!(Pretokenizer::new(Some(name)).expect("it is in the table").split(" a1"), [" a", "1"], "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let error = Pretokenizer::new(Some("from-next-year")).expect_err("nobody knows it");
        assert!(error.to_string().starts_with("the pre-tokenizer \"from-next-year\" is not known, only smollm, "));
    }
}
