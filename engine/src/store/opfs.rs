//! The models on this device: a folder each in the origin private file system.
//!
//!     models/{id}/model.gguf      its first bytes, or all
//!     models/{id}/journal         what is known of it: [`Sidecar`]
//!
//! Reading goes through `getFile`, which locks nothing, so that any number of tabs can read.

use super::js;
use super::sidecar::Sidecar;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::StoredModel;
use js_sys::{AsyncIterator, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemRemoveOptions, StorageEstimate, StorageManager,
};

const FOLDER: &str = "models";
/// The name of a model's bytes in its folder.
pub const DATA: &str = "model.gguf";
/// The name of a model's journal in its folder.
pub const JOURNAL: &str = "journal";

/// How much room there is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Room {
    /// Bytes this site uses.
    pub used_bytes: u64,
    /// Bytes this site may use; 0 if the browser does not say.
    pub quota_bytes: u64,
}

/// The browser's estimate.
pub async fn room() -> Room {
    let Ok(estimate) = manager().estimate() else { return Room::default() };
    let Ok(estimate) = estimate.await else { return Room::default() };
    let estimate: StorageEstimate = estimate.unchecked_into();
    let bytes = |n: Option<f64>| n.map_or(0, js::bytes);
    Room { used_bytes: bytes(estimate.get_usage()), quota_bytes: bytes(estimate.get_quota()) }
}

/// Asks the browser not to clear this site's storage by itself. Where a worker cannot ask, the page must.
pub async fn persist() {
    if let Ok(promise) = manager().persist() {
        // A refusal changes nothing for us: storage works, but the browser may clear it when the disk is full.
        promise.await.ok();
    }
}

/// Every model that has at least one byte here. Without storage there is none.
pub async fn list() -> Vec<StoredModel> {
    let mut models = Vec::new();
    let Ok(folder) = models_folder().await else { return models };
    let ids = folder.keys();
    while let Some(id) = next(&ids).await {
        if let Some((sidecar, _data)) = find(&id).await {
            models.push(sidecar.describe(id));
        }
    }
    models.sort_by(|a, b| a.id.cmp(&b.id));
    models
}

async fn next(ids: &AsyncIterator) -> Option<String> {
    let step = ids.next().ok()?.await.ok()?;
    Reflect::get(&step, &"value".into()).ok()?.as_string()
}

/// What is known of a model and its bytes, if any are here.
pub async fn find(id: &str) -> Option<(Sidecar, Blob)> {
    let folder = model_folder(id, Create::No).await.ok()?;
    let journal = file(&folder, JOURNAL, Create::No).await.ok()?;
    let journal: File = got(journal.get_file()).await.ok()?;
    let sidecar = Sidecar::parse(&journal.text().await.ok()?.as_string()?)?;
    let data: File = got(file(&folder, DATA, Create::No).await.ok()?.get_file()).await.ok()?;
    let is_whole = js::bytes(data.size()) >= sidecar.stored_bytes;
    let stored = data.slice_with_f64_and_f64(0.0, js::number(sidecar.stored_bytes)).ok()?;
    (is_whole && sidecar.stored_bytes > 0).then_some((sidecar, stored))
}

/// Removes a model.
pub async fn delete(id: &str) -> Result<()> {
    let options = FileSystemRemoveOptions::new();
    options.set_recursive(true);
    let folder =
        models_folder().await.map_err(|error| js::error(ErrorKind::Storage, "There is no storage here", &error))?;
    match folder.remove_entry_with_options(id, &options).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match js::error_name(&error).as_str() {
            "NotFoundError" | "TypeError" => Error::new(ErrorKind::NotFound, "This model is not on this device."),
            "NoModificationAllowedError" | "InvalidStateError" => Error::new(
                ErrorKind::Storage,
                "This model is being downloaded, here or in another tab: cancel that first, then delete it.",
            ),
            _ => js::error(ErrorKind::Storage, "The browser could not delete the model", &error),
        }),
    }
}

/// Whether what is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// It is made.
    Yes,
    /// It is an error.
    No,
}

/// The folder of one model.
pub async fn model_folder(id: &str, create: Create) -> std::result::Result<FileSystemDirectoryHandle, JsValue> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create == Create::Yes);
    got(models_folder().await?.get_directory_handle_with_options(id, &options)).await
}

/// One of a model's two files.
pub async fn file(
    folder: &FileSystemDirectoryHandle,
    name: &str,
    create: Create,
) -> std::result::Result<FileSystemFileHandle, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(create == Create::Yes);
    got(folder.get_file_handle_with_options(name, &options)).await
}

async fn models_folder() -> std::result::Result<FileSystemDirectoryHandle, JsValue> {
    let manager = manager();
    // Where there is no such function, calling it would be a trap rather than an error.
    if !Reflect::has(&manager, &"getDirectory".into())? {
        return Err(js_sys::Error::new("this browser keeps no files for a page").into());
    }
    let root: FileSystemDirectoryHandle = got(manager.get_directory()).await?;
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    got(root.get_directory_handle_with_options(FOLDER, &options)).await
}

fn manager() -> StorageManager {
    js::scope().navigator().storage()
}

async fn got<T: JsCast>(promise: Promise) -> std::result::Result<T, JsValue> {
    promise.await.map(JsCast::unchecked_into)
}
