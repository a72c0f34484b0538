//! Where a model file is on the network, and what it is called on this device.

use super::checksum;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Source;

/// The store's name for a model: always a safe file name, whatever the source's own names are.
pub fn id(source: &Source) -> String {
    let text = match source {
        Source::Hub { repo, file, revision } => format!("hub\n{repo}\n{revision}\n{file}"),
        Source::Url(address) => format!("url\n{address}"),
        Source::Local { name } => format!("local\n{name}"),
    };
    checksum::of(text.as_bytes())[..32].to_owned()
}

/// The file's name, for people.
pub fn file_name(source: &Source) -> &str {
    let path = match source {
        Source::Hub { file, .. } => file,
        Source::Url(address) => address.split(['?', '#']).next().unwrap_or(address).trim_end_matches('/'),
        Source::Local { name } => name,
    };
    path.rsplit('/').next().unwrap_or(path)
}

/// The address that serves the file. `hub` has no slash at its end.
pub fn address(source: &Source, hub: &str) -> Result<String> {
    match source {
        Source::Hub { repo, file, revision } => {
            Ok(format!("{hub}/{}/resolve/{}/{}", path(repo)?, segment(revision)?, path(file)?))
        }
        Source::Url(address) => Ok(address.clone()),
        Source::Local { name } => Err(not_here(name)),
    }
}

/// The address that lists the files of the source's repository with their sizes and checksums, if there is one.
pub fn listing_address(source: &Source, hub: &str) -> Option<String> {
    match source {
        Source::Hub { repo, revision, .. } => {
            Some(format!("{hub}/api/models/{}/tree/{}?recursive=true", path(repo).ok()?, segment(revision).ok()?))
        }
        Source::Url(_) | Source::Local { .. } => None,
    }
}

/// The host of an absolute address, for people.
pub fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_scheme, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The error for a local file that is neither given nor stored.
pub fn not_here(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("{name:?} is not kept on this device: choose the file again."))
}

/// A path whose segments are encoded one by one.
fn path(path: &str) -> Result<String> {
    Ok(path.split('/').map(segment).collect::<Result<Vec<_>>>()?.join("/"))
}

/// Everything but unreserved characters, percent-encoded. <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
fn segment(segment: &str) -> Result<String> {
    // A browser resolves `..` before it asks, encoded or not, and would ask for something else.
    if matches!(segment, "" | "." | "..") {
        return Err(Error::new(ErrorKind::NotFound, "A repository is named owner/name, and a file by its path in it."));
    }
    let mut encoded = String::new();
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(repo: &str, file: &str, revision: &str) -> Source {
        Source::Hub { repo: repo.into(), file: file.into(), revision: revision.into() }
    }

    #[test]
    fn an_id_is_a_safe_and_stable_file_name() {
        let sources = [
            hub("owner/name", "model.gguf", "main"),
            hub("owner/name", "model.gguf", "v2"),
            Source::Url("http://localhost/../../etc/passwd".into()),
            Source::Url("🦙".repeat(5000)),
            Source::Local { name: "../../model.gguf".into() },
            Source::Local { name: String::new() },
        ];
        let mut ids: Vec<_> = sources.iter().map(id).collect();
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())), "{ids:?}");
        assert_eq!(ids[0], "caaf4a0f4ec5386eea560d3d34d91c35", "a new id would lose every stored model");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), sources.len());
    }

    #[test]
    fn addresses() {
        for (source, expected) in [
            (hub("o/n", "m.gguf", "main"), Some("https://hub/o/n/resolve/main/m.gguf")),
            (
                hub("o/n", "sub folder/m?#.gguf", "refs/pr/1"),
                Some("https://hub/o/n/resolve/refs%2Fpr%2F1/sub%20folder/m%3F%23.gguf"),
            ),
            (hub("o/ñ", "m.gguf", "main"), Some("https://hub/o/%C3%B1/resolve/main/m.gguf")),
            (hub("o/..", "m.gguf", "main"), None),
            (hub("o/n", "a//m.gguf", "main"), None),
            (Source::Url("http://a/b?c".into()), Some("http://a/b?c")),
            (Source::Local { name: "m.gguf".into() }, None),
        ] {
            assert_eq!(address(&source, "https://hub").ok().as_deref(), expected, "{source:?}");
        }
        let listing = listing_address(&hub("o/n", "m.gguf", "main"), "https://hub");
        assert_eq!(listing.as_deref(), Some("https://hub/api/models/o/n/tree/main?recursive=true"));
    }

    #[test]
    fn hosts() {
        for (address, expected) in [("https://a.b:80/c", "a.b:80"), ("http://a", "a"), ("a/b", "a"), ("", "")] {
            assert_eq!(host(address), expected);
        }
    }

    #[test]
    fn file_names() {
        for (source, expected) in [
            (hub("o/n", "sub/m.gguf", "main"), "m.gguf"),
            (Source::Url("http://a/b/m.gguf?download=true#x".into()), "m.gguf"),
            (Source::Url("http://a/b/".into()), "b"),
            (Source::Local { name: "m.gguf".into() }, "m.gguf"),
        ] {
            assert_eq!(file_name(&source), expected);
        }
    }
}
