//! Models to start with: small, sound, of an architecture that the engine runs.

use protocol::Source;

/// A model the page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name in addresses.
    pub id: &'static str,
    pub name: &'static str,
    /// What it is good for, in a few words.
    pub note: &'static str,
    pub size_bytes: u64,
    pub licence: &'static str,
    pub place: Place,
}

/// Where an entry's file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Beside the page.
    Here { path: &'static str },
    /// On Hugging Face.
    Hub { repo: &'static str, file: &'static str },
}

impl Entry {
    /// The entry's source, for a page at `base`.
    pub fn source(&self, base: &str) -> Source {
        match self.place {
            Place::Here { path } => Source::Url(format!("{base}{path}")),
            Place::Hub { repo, file } => {
                Source::Hub { repo: repo.to_owned(), file: file.to_owned(), revision: "main".to_owned() }
            }
        }
    }
}

/// The smallest first.
pub const ENTRIES: &[Entry] = &[
    Entry {
        id: "smollm2-135m",
        name: "SmolLM2 135M Instruct",
        note: "Here in seconds, runs on anything. Knows little.",
        size_bytes: 98_362_432,
        licence: "Apache 2.0",
        place: Place::Here { path: "models/SmolLM2-135M-Instruct.Q4_1.gguf" },
    },
    Entry {
        id: "gemma-3-270m",
        name: "Gemma 3 270M",
        note: "Follows instructions well for its size; many languages.",
        size_bytes: 291_546_112,
        licence: "Gemma terms",
        place: Place::Hub { repo: "ggml-org/gemma-3-270m-it-GGUF", file: "gemma-3-270m-it-Q8_0.gguf" },
    },
    Entry {
        id: "smollm2-360m",
        name: "SmolLM2 360M Instruct",
        note: "Quick, and a little wiser.",
        size_bytes: 386_404_992,
        licence: "Apache 2.0",
        place: Place::Hub { repo: "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF", file: "smollm2-360m-instruct-q8_0.gguf" },
    },
    Entry {
        id: "tinyllama-1.1b",
        name: "TinyLlama 1.1B Chat",
        note: "A classic.",
        size_bytes: 668_788_096,
        licence: "Apache 2.0",
        place: Place::Hub {
            repo: "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF",
            file: "tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf",
        },
    },
    Entry {
        id: "gemma-3-1b",
        name: "Gemma 3 1B",
        note: "The best answers of its size; many languages.",
        size_bytes: 806_058_240,
        licence: "Gemma terms",
        place: Place::Hub { repo: "ggml-org/gemma-3-1b-it-GGUF", file: "gemma-3-1b-it-Q4_K_M.gguf" },
    },
    Entry {
        id: "llama-3.2-1b",
        name: "Llama 3.2 1B Instruct",
        note: "A good all-rounder.",
        size_bytes: 807_694_464,
        licence: "Llama 3.2 Community",
        place: Place::Hub { repo: "bartowski/Llama-3.2-1B-Instruct-GGUF", file: "Llama-3.2-1B-Instruct-Q4_K_M.gguf" },
    },
    Entry {
        id: "smollm2-1.7b",
        name: "SmolLM2 1.7B Instruct",
        note: "The largest here; wants a fast device.",
        size_bytes: 1_055_609_536,
        licence: "Apache 2.0",
        place: Place::Hub {
            repo: "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
            file: "smollm2-1.7b-instruct-q4_k_m.gguf",
        },
    },
];

/// The entry for a source, if it is one of ours.
pub fn find(source: &Source, base: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.source(base) == *source)
}

/// What a source is called where its model has not told its own name yet.
pub fn name(source: &Source, base: &str) -> String {
    if let Some(entry) = find(source, base) {
        return entry.name.to_owned();
    }
    let path = match source {
        Source::Hub { file, .. } => file,
        Source::Url(url) => url.split(['?', '#']).next().unwrap_or(url),
        Source::Local { name } => name,
    };
    let file = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    clean(file.strip_suffix(".gguf").unwrap_or(file))
}

/// A name that a file or its author gives is shown up to this length.
const NAME_CHARS: usize = 100;

/// A name from a stranger as it can stand in a line: short, and without characters that turn or hide what is beside it.
pub fn clean(name: &str) -> String {
    let mut shown = name.chars().filter(|c| !c.is_control() && !is_invisible(*c));
    let mut clean: String = shown.by_ref().take(NAME_CHARS).collect();
    if shown.next().is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

/// Marks of direction, spaces without width, and line separators: <https://www.unicode.org/reports/tr36/>.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_names() {
        let base = "http://localhost:8080/minnow/";
        let hub =
            |file: &str| Source::Hub { repo: "a/b".to_owned(), file: file.to_owned(), revision: "main".to_owned() };
        for (source, want) in [
            (ENTRIES[0].source(base), "SmolLM2 135M Instruct"),
            (hub("sub/Some-Model.Q4_0.gguf"), "Some-Model.Q4_0"),
            (Source::Url("https://example.org/x/y.gguf?download=true".to_owned()), "y"),
            (Source::Local { name: "mine.gguf".to_owned() }, "mine"),
        ] {
            assert_eq!(name(&source, base), want);
        }
    }

    #[test]
    fn names_from_strangers_are_short_and_in_one_direction() {
        for (given, want) in [
            ("Some model", "Some model".to_owned()),
            ("a\u{202e}fugg\u{2066}b\n\u{7}", "afuggb".to_owned()),
            (&"x".repeat(100), "x".repeat(100)),
            (&"x".repeat(1 << 20), format!("{}…", "x".repeat(99))),
        ] {
            assert_eq!(clean(given), want);
        }
    }
}
