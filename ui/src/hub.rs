//! Hugging Face as the page sees it: which GGUF files a repository has, and what a pasted address means.

use crate::browser::{self, FetchError};
use crate::local_storage::{self, keys};
use crate::percent;
use crate::state::DEFAULT_HUB;
use crate::text;
use protocol::Source;
use serde::Deserialize;

/// The revision of a repository unless another is named.
const MAIN: &str = "main";
/// A listing beyond this is no repository of models.
const LISTING_PAGES_MAX: usize = 20;
/// A site that has not answered for so long does not mean to.
const ANSWER_MS: i32 = 30_000;

/// A GGUF file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HubFile {
    pub path: String,
    #[serde(rename = "size")]
    pub size_bytes: u64,
}

/// Hugging Face's address, or the mirror that the person has set.
pub fn address() -> String {
    let set = local_storage::recall_text(keys::HUB).filter(|address| !address.trim().is_empty());
    set.map_or_else(|| DEFAULT_HUB.to_owned(), |address| address.trim().trim_end_matches('/').to_owned())
}

/// The repository's GGUF files at a revision, the smallest first.
pub async fn files(hub: &str, repo: &str, revision: &str) -> Result<Vec<HubFile>, String> {
    let (hub, repo, revision) = (hub.to_owned(), repo.to_owned(), revision.to_owned());
    let listing = browser::within(ANSWER_MS, async move { list(&hub, &repo, &revision).await });
    listing.await.unwrap_or_else(|| Err(text::hub::NO_ANSWER.to_owned()))
}

async fn list(hub: &str, repo: &str, revision: &str) -> Result<Vec<HubFile>, String> {
    let encoded = js_sys::encode_uri_component(revision);
    let mut page = Some(format!("{hub}/api/models/{repo}/tree/{encoded}?recursive=true"));
    let mut files = Vec::new();
    for _ in 0..LISTING_PAGES_MAX {
        let Some(address) = page.take() else { break };
        let answer = browser::fetch_text(&address).await.map_err(|error| explain(error, repo, revision))?;
        let some = gguf_files(&answer.text);
        files.extend(some.ok_or_else(|| text::hub::no_list(hub))?);
        page = answer.link.as_deref().and_then(next_page).map(str::to_owned);
    }
    if files.is_empty() {
        return Err(text::hub::no_files(repo));
    }
    files.sort_by_key(|file| file.size_bytes);
    Ok(files)
}

/// The next page of a listing, from its `Link` header: `<ADDRESS>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    next.trim().strip_prefix('<')?.split_once('>').map(|(address, _)| address)
}

fn explain(error: FetchError, repo: &str, revision: &str) -> String {
    match error {
        FetchError::Unreachable => text::hub::UNREACHABLE.to_owned(),
        FetchError::Status(401 | 403 | 404) if revision == MAIN => text::hub::no_repository(repo),
        FetchError::Status(401 | 403 | 404) => text::hub::no_revision(repo, revision),
        FetchError::Status(status) => text::hub::status(status),
    }
}

/// The files that are models by themselves: not image encoders, not parts of a split model.
fn gguf_files(json: &str) -> Option<Vec<HubFile>> {
    let mut files: Vec<HubFile> = serde_json::from_str::<Vec<serde_json::Value>>(json)
        .ok()?
        .into_iter()
        .filter_map(|entry| serde_json::from_value(entry).ok())
        .collect();
    files.retain(|file| {
        let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        name.ends_with(".gguf") && !name.starts_with("mmproj") && !name.contains("-of-0")
    });
    Some(files)
}

/// What the person typed: `owner/name`, or an address copied from the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Repo { repo: String, revision: String },
    File(Source),
}

/// Reads `owner/name`, `owner/name/file.gguf` and addresses on Hugging Face.
pub fn read(typed: &str, hub: &str) -> Option<Typed> {
    let typed = typed.trim();
    let parts: Vec<String> = match path_on_site(typed, hub) {
        Some(path) => parts(path).map(|part| percent::decode(part).unwrap_or_else(|| part.to_owned())).collect(),
        None => parts(typed).map(str::to_owned).collect(),
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let [owner, name, rest @ ..] = &parts[..] else { return None };
    if !is_name(owner) || !is_name(name) {
        return None;
    }
    let repo = format!("{owner}/{name}");
    match rest {
        [] | ["tree"] => Some(Typed::Repo { repo, revision: MAIN.to_owned() }),
        ["tree", rest @ ..] => Some(Typed::Repo { repo, revision: revision(rest).0 }),
        ["resolve" | "blob", rest @ ..] if rest.len() > 1 => {
            let (revision, path) = revision(rest);
            file(repo, revision, path)
        }
        path => file(repo, MAIN.to_owned(), path),
    }
}

/// Reads an address that serves a file, also where it is that of the file's page on Hugging Face.
pub fn read_address(typed: &str, hub: &str) -> Result<Source, String> {
    match read(typed, hub) {
        Some(Typed::File(source)) => Ok(source),
        Some(Typed::Repo { repo, .. }) => Err(text::hub::is_repository(&repo)),
        None => url(typed.trim()),
    }
}

/// An address on any other site.
pub fn url(address: &str) -> Result<Source, String> {
    let (scheme, rest) = address.split_once("://").unwrap_or_default();
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Err(text::hub::NOT_HTTP.to_owned());
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        return Err(text::hub::no_site(address));
    }
    if host.contains('@') {
        return Err(text::hub::PASSWORD.to_owned());
    }
    Ok(Source::Url(address.to_owned()))
}

/// The path of an address on Hugging Face, or on the mirror.
fn path_on_site<'a>(typed: &'a str, hub: &str) -> Option<&'a str> {
    let address = without_scheme(typed);
    let sites = [without_scheme(hub), "huggingface.co", "www.huggingface.co", "hf.co"];
    sites.iter().find_map(|site| address.strip_prefix(site)?.strip_prefix('/'))
}

fn without_scheme(address: &str) -> &str {
    ["https://", "http://"].iter().find_map(|scheme| address.strip_prefix(scheme)).unwrap_or(address)
}

/// What stands between the slashes of a path.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|part| !part.is_empty())
}

/// Whether an owner or a repository can be called this.
fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().all(is_allowed) && name != "." && !name.contains("..")
}

/// A revision, and what follows it. That of a pull request has slashes: `refs/pr/1`.
fn revision<'a>(parts: &'a [&'a str]) -> (String, &'a [&'a str]) {
    let n_parts = if matches!(parts, ["refs", "pr" | "convert", _, ..]) { 3 } else { 1 };
    let (revision, rest) = parts.split_at(n_parts);
    (revision.join("/"), rest)
}

fn file(repo: String, revision: String, path: &[&str]) -> Option<Typed> {
    let is_gguf = path.last()?.to_ascii_lowercase().ends_with(".gguf");
    let climbs = path.iter().any(|part| matches!(*part, "." | ".."));
    (is_gguf && !climbs).then(|| Typed::File(Source::Hub { repo, file: path.join("/"), revision }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        let file = |revision: &str, file: &str| {
            let (repo, file, revision) = ("a/b".to_owned(), file.to_owned(), revision.to_owned());
            Some(Typed::File(Source::Hub { repo, file, revision }))
        };
        let repo = |revision: &str| Some(Typed::Repo { repo: "a/b".to_owned(), revision: revision.to_owned() });
        for (typed, want) in [
            (" a/b ", repo("main")),
            ("https://huggingface.co/a/b", repo("main")),
            ("http://huggingface.co/a/b", repo("main")),
            ("huggingface.co/a/b/tree/main", repo("main")),
            ("https://hf.co/a/b/tree/v1", repo("v1")),
            ("https://huggingface.co/a/b/tree/v1/some/folder", repo("v1")),
            ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", repo("refs/pr/1")),
            ("https://huggingface.co/a/b/tree/refs/pr/1", repo("refs/pr/1")),
            ("http://localhost:9/a/b", repo("main")),
            ("a/b/c.gguf", file("main", "c.gguf")),
            ("https://huggingface.co/a/b/blob/v1/sub/c.gguf?x=1", file("v1", "sub/c.gguf")),
            ("https://huggingface.co/a/b/resolve/main/c.gguf?download=true", file("main", "c.gguf")),
            (
                "https://huggingface.co/a/b/resolve/refs%2Fpr%2F1/sub%20folder/c.gguf",
                file("refs/pr/1", "sub folder/c.gguf"),
            ),
            ("https://huggingface.co/a/b/resolve/main/50%.gguf", file("main", "50%.gguf")),
            ("a/b/50%20.gguf", file("main", "50%20.gguf")),
            ("a", None),
            ("a/..", None),
            ("a/b c", None),
            ("a/b/../c.gguf", None),
            ("https://huggingface.co/a/%2E%2E/c.gguf", None),
            ("https://huggingface.co/a/b/blob/main", None),
            ("a/b/readme.md", None),
            ("https://example.org/a/b", None),
        ] {
            assert_eq!(read(typed, "http://localhost:9"), want, "{typed}");
        }
    }

    #[test]
    fn addresses_that_serve_files() {
        let read = |typed: &str| read_address(typed, "https://mirror");
        assert_eq!(read(" HTTPS://a.b/c.gguf?x=@ "), Ok(Source::Url("HTTPS://a.b/c.gguf?x=@".to_owned())));
        let (repo, file, revision) = ("a/b".to_owned(), "c.gguf".to_owned(), "v1".to_owned());
        assert_eq!(read("https://huggingface.co/a/b/blob/v1/c.gguf"), Ok(Source::Hub { repo, file, revision }));
        for (typed, complaint) in [
            ("https://mirror/a/b", "a/b is a repository"),
            ("ftp://a.b/c.gguf", "Only http://"),
            ("file:///c.gguf", "Only http://"),
            ("javascript:alert(1)", "Only http://"),
            ("c.gguf", "Only http://"),
            ("https://", "names no site"),
            ("http:///c.gguf", "names no site"),
            ("https://me:secret@a.b/c.gguf", "password"),
            ("https://me@huggingface.co/a/b/resolve/main/c.gguf", "password"),
        ] {
            let error = read(typed).expect_err(typed);
            assert!(error.contains(complaint), "{typed}: {error}");
        }
    }

    #[test]
    fn only_files_that_are_whole_models() {
        let json = r#"[{"type":"directory","path":"x"},{"type":"file","path":"README.md","size":1},
            {"type":"file","path":"a.gguf","size":2,"oid":"x"},{"type":"file","path":"mmproj-a.gguf","size":3},
            {"type":"file","path":"b-00001-of-00002.gguf","size":4}]"#;
        assert_eq!(gguf_files(json), Some(vec![HubFile { path: "a.gguf".to_owned(), size_bytes: 2 }]));
        assert_eq!(gguf_files("<html>"), None);
    }
}
