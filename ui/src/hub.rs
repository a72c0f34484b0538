//! Hugging Face as the page sees it: which GGUF files a repository has, and what a pasted address means.

use crate::browser::{self, FetchError};
use crate::percent;
use crate::state::DEFAULT_HUB;
use engine::protocol::Source;
use serde::Deserialize;

/// A GGUF file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HubFile {
    pub path: String,
    #[serde(rename = "size")]
    pub size_bytes: u64,
}

/// Hugging Face's address, or the mirror that the person has set.
pub fn address() -> String {
    let set = browser::recall_text("minnow.hub").filter(|address| !address.trim().is_empty());
    set.map_or_else(|| DEFAULT_HUB.to_owned(), |address| address.trim().trim_end_matches('/').to_owned())
}

/// The repository's GGUF files, the smallest first.
pub async fn files(hub: &str, repo: &str) -> Result<Vec<HubFile>, String> {
    let url = format!("{hub}/api/models/{repo}/tree/main?recursive=true");
    let json = browser::fetch_text(&url).await.map_err(|error| explain(error, repo))?;
    let mut files = gguf_files(&json).ok_or_else(|| format!("{hub} gave an answer that is not a list of files."))?;
    if files.is_empty() {
        return Err(format!("{repo} has no .gguf files. Look for a repository whose name ends in GGUF."));
    }
    files.sort_by_key(|file| file.size_bytes);
    Ok(files)
}

fn explain(error: FetchError, repo: &str) -> String {
    match error {
        FetchError::Unreachable => "Hugging Face cannot be reached. Check the connection, then try again.".to_owned(),
        FetchError::Status(401 | 403 | 404) => {
            format!("There is no public repository {repo}. Check the spelling: owner/name.")
        }
        FetchError::Status(status) => format!("Hugging Face answered with status {status}. Try again later."),
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
    Repo(String),
    File(Source),
}

/// Reads `owner/name`, `owner/name/file.gguf` and addresses on Hugging Face.
pub fn read(typed: &str, hub: &str) -> Option<Typed> {
    let typed = typed.trim();
    let on_site = [hub, DEFAULT_HUB, "huggingface.co", "hf.co", "https://hf.co"]
        .iter()
        .find_map(|site| typed.strip_prefix(site)?.strip_prefix('/'));
    let parts: Vec<String> = match on_site {
        Some(path) => parts(path).map(|part| percent::decode(part).unwrap_or_else(|| part.to_owned())).collect(),
        None => parts(typed).map(str::to_owned).collect(),
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        [owner, name] if !owner.contains(':') => Some(Typed::Repo(format!("{owner}/{name}"))),
        [owner, name, "resolve" | "blob", revision, ref rest @ ..] if !rest.is_empty() => {
            file(&[owner, name], revision, rest)
        }
        [owner, name, "tree", ..] => Some(Typed::Repo(format!("{owner}/{name}"))),
        [owner, name, ref rest @ ..] if !owner.contains(':') => file(&[owner, name], "main", rest),
        _ => None,
    }
}

/// What stands between the slashes of a path.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|part| !part.is_empty())
}

fn file(repo: &[&str], revision: &str, path: &[&str]) -> Option<Typed> {
    let is_gguf = path.last().is_some_and(|name| name.to_ascii_lowercase().ends_with(".gguf"));
    is_gguf
        .then(|| Typed::File(Source::Hub { repo: repo.join("/"), file: path.join("/"), revision: revision.to_owned() }))
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
        let repo = Some(Typed::Repo("a/b".to_owned()));
        for (typed, want) in [
            (" a/b ", repo.clone()),
            ("https://huggingface.co/a/b", repo.clone()),
            ("huggingface.co/a/b/tree/main", repo.clone()),
            ("http://localhost:9/a/b", repo),
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
            ("a/b/readme.md", None),
            ("https://example.org/a/b", None),
        ] {
            assert_eq!(read(typed, "http://localhost:9"), want, "{typed}");
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
