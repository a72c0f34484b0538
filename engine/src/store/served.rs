//! What an answer's status and headers say about the file behind it.

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Source;

/// The file as the server has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Bytes of the whole file.
    pub total_bytes: u64,
    /// A strong `ETag`, else `Last-Modified`: changes when the file does.
    pub validator: Option<String>,
    /// SHA-256 in hexadecimal, if the server publishes it.
    pub sha256: Option<String>,
}

/// The headers that matter here, as far as the server lets other sites read them.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// `Content-Length`.
    pub content_length: Option<String>,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What to make of an answer to `Range: bytes=FROM-`.
#[derive(Debug)]
pub enum Answer {
    /// The body is the file from this byte on; it is 0 if the server does not know ranges.
    Body {
        /// The body's first byte.
        start: u64,
        /// The file.
        served: Served,
    },
    /// The file has become too short for this range.
    Changed,
    /// Asking again in a moment may help.
    Busy(Error),
    /// Asking again will not help.
    Refused(Error),
}

/// Reads the answer to `Range: bytes=FROM-`.
pub fn read(source: &Source, host: &str, from: u64, status: u16, headers: &Headers) -> Answer {
    let length = headers.content_length.as_deref().and_then(|length| length.parse::<u64>().ok());
    let (start, total_bytes) = match status {
        200 => (0, length),
        206 => match headers.content_range.as_deref().and_then(content_range) {
            Some((start, total_bytes)) => (start, Some(total_bytes)),
            None => (from, length.and_then(|length| from.checked_add(length))),
        },
        416 if from > 0 => return Answer::Changed,
        408 | 425 | 429 | 500..=599 => return Answer::Busy(refusal(source, host, status)),
        _ => return Answer::Refused(refusal(source, host, status)),
    };
    let Some(total_bytes) = total_bytes else {
        return Answer::Refused(Error::new(ErrorKind::Invalid, format!("{host} does not say how large the file is.")));
    };
    if start > from {
        return Answer::Refused(Error::new(
            ErrorKind::Invalid,
            format!("{host} sent another part of the file than asked."),
        ));
    }
    Answer::Body { start, served: Served { total_bytes, validator: validator(headers), sha256: None } }
}

/// `bytes FIRST-LAST/TOTAL` → (FIRST, TOTAL).
fn content_range(value: &str) -> Option<(u64, u64)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// A weak `ETag` promises equal meaning, not equal bytes.
fn validator(headers: &Headers) -> Option<String> {
    let strong = headers.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
    strong.or(headers.last_modified.as_ref()).cloned()
}

fn refusal(source: &Source, host: &str, status: u16) -> Error {
    let from_hub = match source {
        Source::Hub { repo, .. } => Some(repo),
        Source::Url(_) | Source::Local { .. } => None,
    };
    match (status, from_hub) {
        (401 | 403, Some(repo)) => Error::new(
            ErrorKind::NotFound,
            format!(
                "{repo} is not open to everyone: it does not exist, is private, or needs a licence accepted on Hugging Face. \
                 Accept it there, download the file and open it from your disk, or choose another copy of the model."
            ),
        ),
        (404, Some(repo)) => Error::new(
            ErrorKind::NotFound,
            format!("There is no such file in {repo}. Check the file's name, and the revision."),
        ),
        (401 | 403, None) => Error::new(ErrorKind::NotFound, format!("{host} does not give this file to everyone.")),
        (404 | 410, _) => Error::new(ErrorKind::NotFound, format!("{host} has no file at this address.")),
        (429, _) => Error::new(
            ErrorKind::Network,
            format!("{host} has had too many requests from here. Wait a few minutes, then load again."),
        ),
        (500..=599, _) => Error::new(
            ErrorKind::Network,
            format!("{host} is in trouble (HTTP {status}). Load again later; what has arrived is kept."),
        ),
        _ => Error::new(ErrorKind::Network, format!("{host} refused (HTTP {status}).")),
    }
}

/// The error for a server that could not be reached at all: browsers do not tell a page why.
pub fn unreachable(host: &str, online: bool) -> Error {
    let message = match online {
        true => format!(
            "{host} could not be reached. It may be down, or it may not let other sites read its files (CORS). \
             Try again, or download the file and open it from your disk."
        ),
        false => {
            format!("This device is offline, and the model is not kept on it yet. Connect, then load again ({host}).")
        }
    };
    Error::new(ErrorKind::Network, message)
}

/// The error for a connection that broke and did not come back.
pub fn cut(host: &str, position: u64, total_bytes: u64) -> Error {
    let (done, total) = (megabytes(position), megabytes(total_bytes));
    let message = format!("The connection to {host} broke after {done} of {total}. Load again: it goes on from there.");
    Error::new(ErrorKind::Network, message)
}

/// `n` bytes in words: MB as browsers count them.
pub fn megabytes(n: u64) -> String {
    match n {
        0..100_000 => format!("{} kB", n.div_ceil(1000)),
        100_000..1_000_000_000 => format!("{}.{} MB", n / 1_000_000, n / 100_000 % 10),
        1_000_000_000.. => format!("{}.{:02} GB", n / 1_000_000_000, n / 10_000_000 % 100),
    }
}

/// The next page of a listing, from its `Link` header: `<ADDRESS>; rel="next"`.
pub fn next_page(link: &str) -> Option<&str> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    next.trim().strip_prefix('<')?.split_once('>').map(|(address, _)| address)
}

/// The SHA-256 of `file` in one page of a listing.
pub fn listed_sha256(page: &str, file: &str) -> Result<Option<String>> {
    #[derive(serde::Deserialize)]
    struct Entry {
        path: String,
        lfs: Option<Lfs>,
    }
    #[derive(serde::Deserialize)]
    struct Lfs {
        oid: String,
    }
    let entries: Vec<Entry> = serde_json::from_str(page).map_err(|error| {
        Error::new(ErrorKind::Invalid, "The list of the repository's files cannot be read.").with_source(error)
    })?;
    let lfs = entries.into_iter().find(|entry| entry.path == file).and_then(|entry| entry.lfs);
    Ok(lfs.map(|lfs| lfs.oid.to_ascii_lowercase()).filter(|oid| oid.len() == 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(from: u64, status: u16, content_length: &str, content_range: &str, expected: Expect) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let headers = Headers {
            content_length: some(content_length),
            content_range: some(content_range),
            etag: some("W/\"weak\""),
            last_modified: some("Tue"),
        };
        let source = Source::Hub { repo: "o/n".into(), file: "m.gguf".into(), revision: "main".into() };
        let actual = match read(&source, "hub", from, status, &headers) {
            Answer::Body { start, served } => {
                format!("from {start} of {} ({:?})", served.total_bytes, served.validator)
            }
            Answer::Changed => "changed".to_owned(),
            Answer::Busy(error) => format!("busy, {:?}: {error}", error.kind()),
            Answer::Refused(error) => format!("{:?}: {error}", error.kind()),
        };
        expected.assert_eq(&actual);
    }

    #[test]
    fn bodies() {
        check(0, 206, "100", "bytes 0-99/100", expect![[r#"from 0 of 100 (Some("Tue"))"#]]);
        check(40, 206, "60", "bytes 40-99/100", expect![[r#"from 40 of 100 (Some("Tue"))"#]]);
        check(40, 206, "60", "", expect![[r#"from 40 of 100 (Some("Tue"))"#]]);
        check(40, 200, "100", "", expect![[r#"from 0 of 100 (Some("Tue"))"#]]);
        check(40, 206, "60", "bytes 50-99/100", expect!["Invalid: hub sent another part of the file than asked."]);
        check(40, 206, "18446744073709551615", "", expect!["Invalid: hub does not say how large the file is."]);
        check(0, 200, "", "", expect!["Invalid: hub does not say how large the file is."]);
    }

    #[test]
    fn refusals() {
        check(40, 416, "", "bytes */20", expect!["changed"]);
        check(
            0,
            401,
            "",
            "",
            expect![
                "NotFound: o/n is not open to everyone: it does not exist, is private, or needs a licence accepted on Hugging Face. Accept it there, download the file and open it from your disk, or choose another copy of the model."
            ],
        );
        check(
            0,
            404,
            "",
            "",
            expect!["NotFound: There is no such file in o/n. Check the file's name, and the revision."],
        );
        check(
            0,
            429,
            "",
            "",
            expect!["busy, Network: hub has had too many requests from here. Wait a few minutes, then load again."],
        );
        check(
            0,
            503,
            "",
            "",
            expect!["busy, Network: hub is in trouble (HTTP 503). Load again later; what has arrived is kept."],
        );
        check(0, 418, "", "", expect!["Network: hub refused (HTTP 418)."]);
    }

    #[test]
    fn sizes_in_words() {
        for (n, words) in [(0, "0 kB"), (1, "1 kB"), (98_362_432, "98.3 MB"), (1_230_000_000, "1.23 GB")] {
            assert_eq!(megabytes(n), words);
        }
    }

    #[test]
    fn listings() {
        let sha = "AB".repeat(32);
        let page = format!(
            r#"[{{"type":"directory","path":"sub"}},{{"path":"README.md","size":9}},{{"path":"m.gguf","lfs":{{"oid":"{sha}","size":9}}}}]"#
        );
        assert_eq!(listed_sha256(&page, "m.gguf").unwrap(), Some("ab".repeat(32)));
        assert_eq!(listed_sha256(&page, "README.md").unwrap(), None);
        assert_eq!(listed_sha256(&page, "absent").unwrap(), None);
        assert!(listed_sha256("<html>", "m.gguf").is_err());
        assert_eq!(next_page(r#"<https://hub/a?cursor=1>; rel="next""#), Some("https://hub/a?cursor=1"));
        assert_eq!(next_page(r#"<https://hub/a>; rel="prev", <https://hub/b>; rel="next""#), Some("https://hub/b"));
        assert_eq!(next_page(""), None);
    }
}
