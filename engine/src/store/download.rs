//! A file on its way over the network: one request for everything that is missing, read as a stream.
//!
//! The browser holds the stream back while we are busy, so nothing piles up. A connection that breaks is taken up again
//! at the byte reached.

use super::cancel::Cancel;
use super::js;
use super::retry::Retry;
use super::served::{self, Answer, Headers, Served};
use super::source;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Source;
use gloo::net::http::{Request, Response};
use gloo::timers::callback::Timeout;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestCache};

/// A connection that is silent for so long is broken, whatever the browser thinks.
const SILENCE_MS: u32 = 30_000;
/// Checksums are worth having, not worth waiting for.
const LISTING_MS: u32 = 10_000;
/// Repositories have few files; this many pages hold thousands.
const LISTING_PAGES_MAX: usize = 20;

/// Where a file is served, and who may end the wait for it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The model.
    pub source: Source,
    /// The file's address.
    pub address: String,
    /// Ends everything.
    pub cancel: Cancel,
}

/// See the module.
#[derive(Debug)]
pub struct Download {
    place: Place,
    retry: Retry,
    connection: Connection,
    served: Served,
    position: u64,
    changed: bool,
}

#[derive(Debug)]
struct Connection {
    controller: AbortController,
    body: ReadableStreamDefaultReader,
    /// Bytes to pass over, because the server began before the byte we asked for.
    skip_bytes: u64,
}

/// Why there is no connection.
enum Failure {
    Passing(Error),
    Final(Error),
    Changed,
}

impl Download {
    /// Connects, to read from byte `from` on. None: the file is now shorter than that.
    pub async fn open(place: Place, from: u64) -> Result<Option<Self>> {
        let mut retry = Retry::default();
        loop {
            match connect(&place, from, &mut retry).await {
                Ok((connection, served)) => {
                    return Ok(Some(Self { place, retry, connection, served, position: from, changed: false }));
                }
                Err(Failure::Changed) => return Ok(None),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => pause(&place, &mut retry, error).await?,
            }
        }
    }

    /// The file, as the server had it when we connected.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// The file became another one on the server after we connected.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The next bytes; at least one, because this is not called at the end.
    pub async fn next(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.connection.read(&self.place.cancel).await {
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(bytes)) => return self.arrived(bytes),
                Ok(None) | Err(Failure::Passing(_)) => self.reconnect().await?,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Changed) => return Err(self.has_changed()),
            }
        }
    }

    fn arrived(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        self.retry.progressed();
        self.position += bytes.len() as u64;
        match self.position > self.served.total_bytes {
            true => Err(Error::new(ErrorKind::Invalid, "The server sent more than it had announced.")),
            false => Ok(bytes),
        }
    }

    async fn reconnect(&mut self) -> Result<()> {
        loop {
            let cut = served::cut(source::host(&self.place.address), self.position, self.served.total_bytes);
            pause(&self.place, &mut self.retry, cut).await?;
            match connect(&self.place, self.position, &mut self.retry).await {
                Ok((_, served)) if served != self.served => return Err(self.has_changed()),
                Ok((connection, _)) => {
                    self.connection = connection;
                    return Ok(());
                }
                Err(Failure::Changed) => return Err(self.has_changed()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(_)) => {}
            }
        }
    }

    fn has_changed(&mut self) -> Error {
        self.changed = true;
        Error::new(ErrorKind::Invalid, "The file changed on the server while it was on its way. Load again.")
    }
}

impl Connection {
    /// The next bytes; none at the end.
    async fn read(&mut self, cancel: &Cancel) -> std::result::Result<Option<Vec<u8>>, Failure> {
        cancel.check().map_err(Failure::Final)?;
        let step = {
            let _silence = abort_after(SILENCE_MS, &self.controller);
            self.body.read().await.map_err(|error| broken(cancel, &error))?
        };
        let field = |name: &str| Reflect::get(&step, &name.into()).expect("a stream's reader gives objects");
        if field("done").is_truthy() {
            return Ok(None);
        }
        let bytes: Uint8Array = field("value").unchecked_into();
        let skip = u32::try_from(self.skip_bytes.min(bytes.length().into())).expect("no more than the chunk's length");
        self.skip_bytes -= u64::from(skip);
        Ok(Some(bytes.subarray(skip, bytes.length()).to_vec()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.controller.abort();
    }
}

/// Asks for the bytes from `from` on.
async fn connect(place: &Place, from: u64, retry: &mut Retry) -> std::result::Result<(Connection, Served), Failure> {
    let Place { source, address, cancel } = place;
    let host = source::host(address);
    let controller = cancellable(cancel).map_err(Failure::Final)?;
    // `Range` from the first byte on also keeps servers from compressing, which would hide the file's size. The browser's
    // own cache would keep gigabytes a second time.
    let request = Request::get(address)
        .header("Range", &format!("bytes={from}-"))
        .cache(RequestCache::NoStore)
        .abort_signal(Some(&controller.signal()));
    let response = {
        let _silence = abort_after(SILENCE_MS, &controller);
        request.send().await
    };
    let response = response.map_err(|_| match cancel.check() {
        Err(cancelled) => Failure::Final(cancelled),
        Ok(()) => Failure::Passing(served::unreachable(host, js::scope().navigator().on_line())),
    })?;
    retry.answered();
    match served::read(source, host, from, response.status(), &headers(&response)) {
        Answer::Body { start, served } => {
            let body = response.body().expect("an answer to GET has a body").get_reader().unchecked_into();
            Ok((Connection { controller, body, skip_bytes: from - start }, served))
        }
        Answer::Changed => Err(Failure::Changed),
        Answer::Busy(error) => Err(Failure::Passing(error)),
        Answer::Refused(error) => Err(Failure::Final(error)),
    }
}

/// The SHA-256 that the hub publishes for the file; none if it does not, or cannot be asked.
pub async fn published_sha256(place: &Place, listing: String) -> Option<String> {
    let Source::Hub { file, .. } = &place.source else { return None };
    let controller = AbortController::new().ok()?;
    let _patience = abort_after(LISTING_MS, &controller);
    let mut page = listing;
    for _ in 0..LISTING_PAGES_MAX {
        let response = Request::get(&page).abort_signal(Some(&controller.signal())).send().await.ok()?;
        let text = response.text().await.ok().filter(|_| response.ok())?;
        if let Some(sha256) = served::listed_sha256(&text, file).ok()? {
            return Some(sha256);
        }
        page = served::next_page(&response.headers().get("Link")?)?.to_owned();
    }
    None
}

/// Waits before the next attempt, or gives up with `error`.
async fn pause(place: &Place, retry: &mut Retry, error: Error) -> Result<()> {
    const STEP_MS: u32 = 100;
    let Some(mut wait_ms) = retry.wait_ms() else { return Err(error) };
    while wait_ms > 0 {
        place.cancel.check()?;
        js::sleep(wait_ms.min(STEP_MS)).await;
        wait_ms = wait_ms.saturating_sub(STEP_MS);
    }
    place.cancel.check()
}

fn headers(response: &Response) -> Headers {
    let get = |name| response.headers().get(name);
    Headers {
        content_length: get("Content-Length"),
        content_range: get("Content-Range"),
        etag: get("ETag"),
        last_modified: get("Last-Modified"),
    }
}

fn broken(cancel: &Cancel, error: &JsValue) -> Failure {
    match cancel.check() {
        Err(cancelled) => Failure::Final(cancelled),
        Ok(()) => Failure::Passing(js::error(ErrorKind::Network, "The connection broke", error)),
    }
}

/// A controller that the person's wish to cancel aborts.
fn cancellable(cancel: &Cancel) -> Result<AbortController> {
    cancel.check()?;
    let controller = AbortController::new().expect("every worker has abort controllers");
    let signalled = controller.clone();
    cancel.on_cancel(move || signalled.abort());
    Ok(controller)
}

fn abort_after(ms: u32, controller: &AbortController) -> Timeout {
    let controller = controller.clone();
    Timeout::new(ms, move || controller.abort())
}
