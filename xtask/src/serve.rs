//! `cargo xtask run`: a small HTTP server for the site in `dist/`, for this machine only.
//!
//! It does what a static host does, and sends the headers without which a browser gives no shared memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::dist::{self, DIST};
use crate::profile::Build;

/// What `cargo xtask run` can be told.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    port: u16,
    build: bool,
}

/// Requests served at once: a browser opens six connections, and a model download holds one.
const N_THREADS: usize = 8;

/// Sent with every response. The first two isolate the page, which shared memory needs; nothing is cached unseen.
const HEADERS: [(&str, &str); 5] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
    ("Accept-Ranges", "bytes"),
];

impl Options {
    /// Reads `[--port N] [--no-build]`.
    pub(crate) fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self { port: 8080, build: true };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--no-build" => options.build = false,
                "--port" => {
                    let port = args.next().context("--port needs a number")?;
                    options.port = port.parse().with_context(|| format!("--port {port} is not a port"))?;
                }
                unknown => bail!("cargo xtask run does not know {unknown}; it takes [--port 8080] [--no-build]"),
            }
        }
        Ok(options)
    }
}

/// Builds the site and serves it until it is interrupted.
pub(crate) fn run(options: &Options) -> Result<()> {
    // First of all, so that a port that is taken is known before minutes of building.
    let server = bind(options.port)?;
    if options.build {
        dist::build(Build::Shipped)?;
    } else if !Path::new(DIST).join("index.html").exists() {
        bail!("there is no {DIST}/index.html to serve; leave --no-build out");
    }
    println!("\nMinnow is at http://{} — Ctrl-C stops it", server.server_addr());
    thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(|| server.incoming_requests().for_each(|request| answer(request, Path::new(DIST))));
        }
    });
    Ok(())
}

fn bind(port: u16) -> Result<Server> {
    Server::http(("127.0.0.1", port))
        .map_err(|error| anyhow!("cannot listen on port {port}: {error}; try --port {}", port.wrapping_add(1)))
}

/// A browser that goes away in the middle of a response is no news, so the outcome of sending is dropped.
fn answer(request: Request, root: &Path) {
    let sent = match (request.method(), file_under(root, request.url())) {
        (Method::Get | Method::Head, Some(path)) => send_file(request, &path),
        (Method::Get | Method::Head, None) => send_text(request, 404, "There is no such file."),
        _ => send_text(request, 405, "Only GET and HEAD are answered."),
    };
    drop(sent);
}

fn send_file(request: Request, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let size_bytes = metadata.len();
    // An interrupted download goes on only if it can tell that the file is still the same.
    let changed_secs = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let etag = format!("\"{size_bytes:x}-{changed_secs:x}\"");
    let asked = request.headers().iter().find(|header| header.field.equiv("Range")).map(|h| h.value.to_string());
    let (status, range) = match asked.map(|value| Asked::parse(&value, size_bytes)) {
        None | Some(Asked::Everything) => (200, 0..size_bytes),
        Some(Asked::Part(range)) => (206, range),
        Some(Asked::Nothing) => {
            let response = with_headers(Response::from_string("That range is outside the file.").with_status_code(416));
            return request.respond(response.with_header(header("Content-Range", &format!("bytes */{size_bytes}"))));
        }
    };
    file.seek(SeekFrom::Start(range.start))?;
    let length = range.end - range.start;
    let length_or_unknown = usize::try_from(length).ok();
    let mut response =
        with_headers(Response::new(status.into(), Vec::new(), file.take(length), length_or_unknown, None))
            .with_chunked_threshold(usize::MAX)
            .with_header(header("Content-Type", mime(path)))
            .with_header(header("ETag", &etag));
    if status == 206 {
        response.add_header(header("Content-Range", &format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1)));
    }
    request.respond(response)
}

fn send_text(request: Request, status: u16, text: &str) -> io::Result<()> {
    request.respond(with_headers(Response::from_string(text).with_status_code(status)))
}

fn with_headers<R: Read>(mut response: Response<R>) -> Response<R> {
    for (name, value) in HEADERS {
        response.add_header(header(name, value));
    }
    response
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("our headers are ASCII")
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq)]
enum Asked {
    /// No range that we know how to serve: a server may then send the whole file.
    Everything,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Only bytes that the file does not have.
    Nothing,
}

impl Asked {
    /// Understands one range: `bytes=FIRST-LAST`, `bytes=FIRST-` and `bytes=-LENGTH`.
    fn parse(value: &str, size_bytes: u64) -> Self {
        let Some((first, last)) = value.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Everything;
        };
        let range = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size_bytes),
            (Ok(first), Err(_)) if last.is_empty() => first..size_bytes,
            (Err(_), Ok(length)) if first.is_empty() => size_bytes.saturating_sub(length)..size_bytes,
            _ => return Self::Everything,
        };
        if range.is_empty() { Self::Nothing } else { Self::Part(range) }
    }
}

/// The file that a request's address names; `None` if there is none, or it is not inside `root`.
fn file_under(root: &Path, url: &str) -> Option<PathBuf> {
    let path = percent_decode(url.split(['?', '#']).next()?)?;
    let relative = Path::new(path.trim_start_matches('/'));
    if path.contains('\\') || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = root.join(relative);
    let file = if file.is_dir() { file.join("index.html") } else { file };
    file.is_file().then_some(file)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The media type of a file, by its extension. Browsers refuse modules and wasm of the wrong type.
fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let parse = |args: &[&str]| Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&[]).unwrap(), Options { port: 8080, build: true });
        assert_eq!(parse(&["--no-build", "--port", "9000"]).unwrap(), Options { port: 9000, build: false });
        for wrong in [&["--port"][..], &["--port", "99999"], &["--prot", "80"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ranges() {
        for (value, asked) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=0-9", Asked::Part(0..10)),
            ("bytes=4-99", Asked::Part(4..10)),
            ("bytes=4-", Asked::Part(4..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-12", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
            ("bytes=5-4", Asked::Everything),
            ("bytes=0-1,4-5", Asked::Everything),
            ("bytes=-", Asked::Everything),
            ("lines=1-2", Asked::Everything),
        ] {
            assert_eq!(Asked::parse(value, 10), asked, "{value}");
        }
    }

    #[test]
    fn files() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (url, file) in [
            ("/Cargo.toml", Some("Cargo.toml")),
            ("/src/serve.rs?x=1#y", Some("src/serve.rs")),
            ("/src/serve%2ers", Some("src/serve.rs")),
            ("/", None), // No index.html there.
            ("/nowhere", None),
            ("/../Cargo.toml", None),
            ("/%2e%2e/Cargo.toml", None),
            ("//etc/passwd", None),
            ("/src/..%5c..%5cCargo.toml", None),
            ("/%", None),
            ("/%zz", None),
            ("/%ff", None),
        ] {
            assert_eq!(file_under(root, url), file.map(|file| root.join(file)), "{url}");
        }
    }

    #[test]
    fn media_types() {
        for (file, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("worker_bg.wasm", "application/wasm"),
            ("worker.js", "text/javascript; charset=utf-8"),
            ("models/a.Q4_1.gguf", "application/octet-stream"),
            ("LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(mime(Path::new(file)), expected, "{file}");
        }
    }
}
