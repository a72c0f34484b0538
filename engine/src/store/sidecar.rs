//! What the store remembers of a model file: a journal of JSON lines beside it, of which the last whole one counts.
//!
//! A file is read in its own order, once, by everyone who needs it: the header, the checksum, the backend, the device's
//! storage. So what is stored of it is always its beginning, and one number says how much. A line is written after
//! the bytes it speaks of were flushed; a line that was cut off by a crash is not whole, and the one before it counts.

use super::served::Served;
use crate::protocol::{Source, StartOver, StoredModel};
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Where the file came from.
    pub source: Source,
    /// Bytes of the whole file.
    pub total_bytes: u64,
    /// Bytes that are stored, from the beginning of the file.
    pub stored_bytes: u64,
    /// See [`Served::validator`].
    pub validator: Option<String>,
    /// See [`Served::sha256`].
    pub sha256: Option<String>,
    /// The stored bytes have this checksum.
    pub verified: bool,
    /// [`Fingerprint`](super::checksum::Fingerprint) of the stored bytes; none if nothing is stored.
    pub fingerprint: Option<String>,
}

impl Sidecar {
    /// Nothing is stored yet of a file that the server has.
    pub fn new(source: Source, served: Served) -> Self {
        let Served { total_bytes, validator, sha256 } = served;
        Self { source, total_bytes, stored_bytes: 0, validator, sha256, verified: false, fingerprint: None }
    }

    /// The last whole line.
    pub fn parse(journal: &str) -> Option<Self> {
        journal.lines().rev().find_map(|line| serde_json::from_str(line).ok())
    }

    /// What to append to the journal. The leading line break ends a line that a crash may have cut off.
    pub fn line(&self) -> String {
        format!("\n{}\n", serde_json::to_string(self).expect("numbers and text are always JSON"))
    }

    /// The whole file is here.
    pub fn is_complete(&self) -> bool {
        self.stored_bytes == self.total_bytes
    }

    /// Why what is stored is not, or not surely, the beginning of what the server has now. None: it is.
    pub fn outdated(&self, served: &Served) -> Option<StartOver> {
        let same = |ours: &Option<String>, theirs: &Option<String>| Some(ours.as_ref()? == theirs.as_ref()?);
        if self.total_bytes != served.total_bytes {
            return Some(StartOver::Changed);
        }
        match same(&self.sha256, &served.sha256).or_else(|| same(&self.validator, &served.validator)) {
            Some(true) => None,
            Some(false) => Some(StartOver::Changed),
            // Neither side names a checksum or a validator that the other one names too.
            None => Some(StartOver::Unsure),
        }
    }

    /// What the page shows.
    pub fn describe(self, id: String) -> StoredModel {
        StoredModel { id, source: self.source, stored_bytes: self.stored_bytes, total_bytes: self.total_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(total_bytes: u64, validator: &str, sha256: &str) -> Served {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Served { total_bytes, validator: some(validator), sha256: some(sha256) }
    }

    fn sidecar(stored_bytes: u64) -> Sidecar {
        let source = Source::Url("http://localhost/\n\"🦙\"".into());
        Sidecar { stored_bytes, ..Sidecar::new(source, served(100, "etag", "")) }
    }

    #[test]
    fn the_last_whole_line_counts() {
        let journal = sidecar(10).line() + &sidecar(20).line();
        assert_eq!(Sidecar::parse(&journal), Some(sidecar(20)));
        let second = sidecar(10).line().len();
        for end in 0..journal.len() {
            let Some(torn) = journal.get(..end) else { continue };
            let expected = match end {
                end if end >= journal.len() - 1 => Some(sidecar(20)),
                end if end >= second - 1 => Some(sidecar(10)),
                _ => None,
            };
            assert_eq!(Sidecar::parse(torn), expected, "cut at {end}");
            assert_eq!(Sidecar::parse(&(torn.to_owned() + &sidecar(30).line())), Some(sidecar(30)), "cut at {end}");
        }
        assert_eq!(Sidecar::parse("\0\0\0"), None);
    }

    #[test]
    fn resumes_only_what_is_surely_the_same_file() {
        for (ours, theirs, expected) in [
            (served(9, "a", ""), served(9, "a", ""), None),
            (served(9, "a", ""), served(8, "a", ""), Some(StartOver::Changed)),
            (served(9, "a", ""), served(9, "b", ""), Some(StartOver::Changed)),
            (served(9, "a", "x"), served(9, "b", "x"), None),
            (served(9, "a", "x"), served(9, "a", "y"), Some(StartOver::Changed)),
            (served(9, "a", "x"), served(9, "a", ""), None),
            (served(9, "", "x"), served(9, "a", ""), Some(StartOver::Unsure)),
            (served(9, "", ""), served(9, "", ""), Some(StartOver::Unsure)),
        ] {
            let sidecar = Sidecar::new(Source::Url("http://a".into()), ours.clone());
            assert_eq!(sidecar.outdated(&theirs), expected, "{ours:?} {theirs:?}");
        }
    }
}
