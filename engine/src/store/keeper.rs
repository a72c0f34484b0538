//! Writes one model file to this device, from its beginning, and remembers how far it came.
//!
//! Its two handles are exclusive: while a keeper lives, no other tab can write this model or delete it.

use super::checksum::Fingerprint;
use super::js;
use super::opfs::{self, Create};
use super::sidecar::Sidecar;
use crate::error::{Error, ErrorKind, Result};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{FileSystemDirectoryHandle, FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

/// After this many bytes, or this long, the journal says that they are here: the most that a crash can lose.
const CHECKPOINT_BYTES: u64 = 16 << 20;
const CHECKPOINT_MS: f64 = 1000.0;
const FULL: &str = "The storage is full. Delete a model that you no longer need, or make room on the device.";
/// A worker that was ended a moment ago may still hold its handles.
const LOCK_WAITS_MS: [u32; 4] = [50, 150, 300, 500];

/// See the module.
#[derive(Debug)]
pub struct Keeper {
    id: String,
    data: FileSystemSyncAccessHandle,
    journal: FileSystemSyncAccessHandle,
    sidecar: Sidecar,
    written_bytes: u64,
    /// Of the bytes that have been written.
    fingerprint: Option<String>,
    checkpoint_ms: f64,
}

impl Keeper {
    /// Goes on after `sidecar.stored_bytes`; what is stored beyond is dropped.
    pub async fn open(id: &str, sidecar: Sidecar) -> Result<Self> {
        let folder = opfs::model_folder(id, Create::Yes).await.map_err(|error| refused(&error))?;
        let data = open_handle(&folder, opfs::DATA).await?;
        let journal = match open_handle(&folder, opfs::JOURNAL).await {
            Ok(journal) => journal,
            Err(error) => {
                data.close();
                return Err(error);
            }
        };
        let mut keeper = Self {
            id: id.to_owned(),
            data,
            journal,
            written_bytes: sidecar.stored_bytes,
            fingerprint: sidecar.fingerprint.clone(),
            checkpoint_ms: js::now_ms(),
            sidecar,
        };
        keeper.begin().map_err(|error| refused(&error))?;
        Ok(keeper)
    }

    fn begin(&mut self) -> std::result::Result<(), JsValue> {
        self.data.truncate_with_f64(js::number(self.sidecar.stored_bytes))?;
        if self.sidecar.stored_bytes == 0 {
            self.journal.truncate_with_u32(0)?;
        }
        self.write_line()
    }

    /// Bytes that have been written, from the beginning of the file.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Reads back `bytes.len()` bytes from the offset `start`.
    pub fn read(&self, start: u64, bytes: &mut [u8]) -> Result<()> {
        match self.data.read_with_u8_array_and_options(bytes, &at(start)) {
            Ok(n) if js::bytes(n) == bytes.len() as u64 => Ok(()),
            Ok(_) => Err(Error::new(ErrorKind::Storage, "The stored file is shorter than it was.")),
            Err(error) => Err(js::error(ErrorKind::Storage, "The stored file cannot be read", &error)),
        }
    }

    /// Writes the next bytes of the file. `fingerprint` is of everything up to their end.
    pub fn append(&mut self, bytes: &[u8], fingerprint: &Fingerprint) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self
            .data
            .write_with_u8_array_and_options(bytes, &at(self.written_bytes))
            .map_err(|error| not_written(&error))?;
        if js::bytes(written) != bytes.len() as u64 {
            return Err(Error::new(ErrorKind::Storage, FULL));
        }
        self.written_bytes += bytes.len() as u64;
        self.fingerprint = Some(fingerprint.value());
        let is_due = self.written_bytes - self.sidecar.stored_bytes >= CHECKPOINT_BYTES
            || js::now_ms() - self.checkpoint_ms >= CHECKPOINT_MS;
        if is_due { self.checkpoint() } else { Ok(()) }
    }

    /// The whole file is written; `verified` says that its checksum was right.
    pub fn complete(mut self, verified: bool) -> Result<()> {
        self.sidecar.verified = verified;
        self.checkpoint()
    }

    /// Removes what was written.
    pub async fn discard(mut self) -> Result<()> {
        let id = std::mem::take(&mut self.id);
        self.written_bytes = self.sidecar.stored_bytes; // Nothing left for `drop` to write.
        drop(self);
        opfs::delete(&id).await
    }

    /// What the journal says was flushed before the journal says it.
    fn checkpoint(&mut self) -> Result<()> {
        self.data.flush().map_err(|error| not_written(&error))?;
        self.sidecar.stored_bytes = self.written_bytes;
        self.sidecar.fingerprint.clone_from(&self.fingerprint);
        self.checkpoint_ms = js::now_ms();
        self.write_line().map_err(|error| not_written(&error))
    }

    fn write_line(&self) -> std::result::Result<(), JsValue> {
        let end = js::bytes(self.journal.get_size()?);
        self.journal.write_with_u8_array_and_options(self.sidecar.line().as_bytes(), &at(end))?;
        self.journal.flush()
    }
}

impl Drop for Keeper {
    /// However a load ends, what has arrived is kept.
    fn drop(&mut self) {
        if self.written_bytes > self.sidecar.stored_bytes {
            // If it fails, the journal goes on saying less, which is safe.
            self.checkpoint().ok();
        }
        self.data.close();
        self.journal.close();
    }
}

async fn open_handle(folder: &FileSystemDirectoryHandle, name: &str) -> Result<FileSystemSyncAccessHandle> {
    let file = opfs::file(folder, name, Create::Yes).await.map_err(|error| refused(&error))?;
    let mut waits = LOCK_WAITS_MS.iter();
    loop {
        match file.create_sync_access_handle().await {
            Ok(handle) => return Ok(handle.unchecked_into()),
            Err(error) if js::error_name(&error) != "NoModificationAllowedError" => return Err(refused(&error)),
            Err(_) => match waits.next() {
                Some(&wait_ms) => js::sleep(wait_ms).await,
                None => return Err(Error::new(ErrorKind::Storage, "Another tab is downloading this model.")),
            },
        }
    }
}

fn refused(error: &JsValue) -> Error {
    failed("The browser keeps no files here", error)
}

fn not_written(error: &JsValue) -> Error {
    failed("The browser could not write the file", error)
}

fn failed(what: &str, error: &JsValue) -> Error {
    match js::error_name(error).as_str() {
        "QuotaExceededError" => Error::new(ErrorKind::Storage, FULL),
        _ => js::error(ErrorKind::Storage, what, error),
    }
}

fn at(offset: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(js::number(offset));
    options
}
