//! A model file, read once from its first byte to its last, wherever it is.

use super::buffer::Buffer;
use super::cancel::Cancel;
use super::checksum::{Checksum, Fingerprint};
use super::download::{self, Download, Place};
use super::js;
use super::keeper::Keeper;
use super::opfs;
use super::served::{self, Served};
use super::sidecar::Sidecar;
use super::source;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Kept, LoadStage, Source, StartOver};
use js_sys::{Uint8Array, futures::future_to_promise};
use std::rc::Rc;
use wasm_bindgen::JsValue;
use web_sys::{Blob, File};

/// Bytes read from this device at a time.
const CHUNK_BYTES: u64 = 4 << 20;

/// What to read, and how.
pub struct OpenOptions<'a> {
    /// The model.
    pub source: &'a Source,
    /// Address of Hugging Face or a mirror of it.
    pub hub: &'a str,
    /// The person's own file, for [`Source::Local`]; without it the copy that was kept is read.
    pub file: Option<File>,
    /// Use what is stored of it. If not, it comes anew.
    pub use_stored: bool,
    /// What is not here may come over the network.
    pub may_download: bool,
    /// Ends every wait.
    pub cancel: &'a Cancel,
    /// Called for every chunk: where it came from, bytes that have passed, bytes of the whole file.
    pub on_progress: Progress,
}

/// See [`OpenOptions::on_progress`].
pub type Progress = Rc<dyn Fn(LoadStage, u64, u64)>;

/// See the module. It shows a window of the file that only moves forward.
pub struct Reader {
    id: String,
    sidecar: Sidecar,
    /// The beginning of the file, as far as it is on this device.
    local: Option<Blob>,
    local_bytes: u64,
    local_is_stored: bool,
    download: Option<Download>,
    keeper: Option<Keeper>,
    kept: Kept,
    checksum: Option<Checksum>,
    /// Of everything that has passed.
    fingerprint: Fingerprint,
    /// Why nothing of what is stored is used.
    outdated: Option<StartOver>,
    cancel: Cancel,
    on_progress: Progress,
    buffer: Buffer,
}

impl Reader {
    /// Finds the file: on this device, over the network, or partly here and partly there.
    pub async fn open(options: OpenOptions<'_>) -> Result<Self> {
        let id = source::id(options.source);
        let stored = if options.use_stored { opfs::find(&id).await } else { None };
        match (&options.file, stored) {
            (Some(file), stored) => Ok(Self::picked(id, file, stored, &options)),
            (None, Some((sidecar, data))) if sidecar.is_complete() => {
                Ok(Self { kept: Kept::Yes, ..Self::new(id, sidecar, Some(data), None, &options) })
            }
            (None, stored) if options.may_download => Self::remote(id, stored, &options).await,
            (None, _) => Err(Error::new(ErrorKind::NotFound, "The model is not stored on this device any more.")),
        }
    }

    /// The person's own file. A copy of it that is already here is not made again.
    fn picked(id: String, file: &File, stored: Option<(Sidecar, Blob)>, options: &OpenOptions<'_>) -> Self {
        let served = Served {
            total_bytes: js::bytes(file.size()),
            validator: Some(format!("{}", file.last_modified())),
            sha256: None,
        };
        let is_here = stored.is_some_and(|(sidecar, _)| sidecar.is_complete() && sidecar.outdated(&served).is_none());
        let kept = if is_here { Kept::Yes } else { Kept::NotAsked };
        let sidecar = Sidecar::new(options.source.clone(), served);
        Self { kept, local_is_stored: false, ..Self::new(id, sidecar, Some(file.clone().into()), None, options) }
    }

    /// What is missing comes over the network.
    async fn remote(id: String, stored: Option<(Sidecar, Blob)>, options: &OpenOptions<'_>) -> Result<Self> {
        let OpenOptions { source, hub, cancel, .. } = options;
        let address = source::address(source, hub)?;
        let place = Place { source: (*source).clone(), address, cancel: (*cancel).clone() };
        // On its way while we connect.
        let sha256 = source::listing_address(source, hub).map(|listing| {
            let place = place.clone();
            future_to_promise(async move { Ok(download::published_sha256(&place, listing).await.into()) })
        });
        let from = stored.as_ref().map_or(0, |(sidecar, _)| sidecar.stored_bytes);
        let mut download = Download::open(place.clone(), from).await?;
        let sha256 = match sha256 {
            Some(sha256) => sha256.await.ok().and_then(|sha256: JsValue| sha256.as_string()),
            None => None,
        };
        let served = |download: &Download| Served { sha256: sha256.clone(), ..download.served().clone() };
        let outdated = match (&stored, &download) {
            (Some((known, _)), Some(download)) if from > 0 => known.outdated(&served(download)),
            (Some(_), None) => Some(StartOver::Changed),
            (Some(_) | None, _) => None,
        };
        let stored = stored.filter(|_| from > 0 && outdated.is_none());
        if outdated.is_some() {
            download = Download::open(place, 0).await?;
        }
        let Some(download) = download else { return Err(Error::new(ErrorKind::Invalid, "The file is empty.")) };
        let mut sidecar = Sidecar::new((*source).clone(), served(&download));
        let local = stored.map(|(known, data)| {
            sidecar.stored_bytes = known.stored_bytes;
            sidecar.sha256 = sidecar.sha256.take().or(known.sha256);
            sidecar.fingerprint = known.fingerprint;
            data
        });
        Ok(Self { outdated, ..Self::new(id, sidecar, local, Some(download), options) })
    }

    fn new(
        id: String,
        sidecar: Sidecar,
        local: Option<Blob>,
        download: Option<Download>,
        options: &OpenOptions<'_>,
    ) -> Self {
        Self {
            id,
            checksum: (sidecar.sha256.is_some() && !sidecar.verified).then(Checksum::default),
            sidecar,
            local_bytes: local.as_ref().map_or(0, |local| js::bytes(local.size())),
            local_is_stored: local.is_some(),
            local,
            download,
            keeper: None,
            kept: Kept::NotAsked,
            fingerprint: Fingerprint::default(),
            outdated: None,
            cancel: options.cancel.clone(),
            on_progress: options.on_progress.clone(),
            buffer: Buffer::default(),
        }
    }

    /// Bytes of the whole file.
    pub fn total_bytes(&self) -> u64 {
        self.sidecar.total_bytes
    }

    /// Something is still to come over the network.
    pub fn is_remote(&self) -> bool {
        self.download.is_some()
    }

    /// The first bytes of the file: at least `bytes`, or all. To be called before [`Self::read`].
    pub async fn head(&mut self, bytes: u64) -> Result<&[u8]> {
        while self.position() < bytes.min(self.total_bytes()) {
            self.pull().await?;
        }
        Ok(self.buffer.bytes())
    }

    /// From now on, keeps what passes, and what has passed already, on this device. A reason against it is no error: the
    /// model can be used all the same. To be called before [`Self::read`].
    pub async fn keep(&mut self) {
        if self.kept == Kept::Yes {
            return;
        }
        self.kept = match self.open_keeper().await {
            Ok(keeper) => {
                self.keeper = Some(keeper);
                Kept::Yes
            }
            Err(error) => Kept::No(error.to_string()),
        };
    }

    async fn open_keeper(&self) -> Result<Keeper> {
        let room = opfs::room().await;
        let needed_bytes = self.total_bytes() - self.sidecar.stored_bytes;
        let free_bytes = room.quota_bytes.saturating_sub(room.used_bytes);
        if room.quota_bytes > 0 && free_bytes < needed_bytes {
            let (needed, free) = (served::megabytes(needed_bytes), served::megabytes(free_bytes));
            let message = format!("It needs {needed}, and the browser gives {free}.");
            return Err(Error::new(ErrorKind::Storage, message));
        }
        opfs::persist().await;
        let mut keeper = Keeper::open(&self.id, self.sidecar.clone()).await?;
        let passed = self.buffer.since(keeper.written_bytes());
        if let Err(error) = keeper.append(passed, &self.fingerprint) {
            keeper.discard().await?;
            return Err(error);
        }
        Ok(keeper)
    }

    /// `len` bytes from the offset `start` on. Whatever lies before is let go.
    pub async fn read(&mut self, start: u64, len: usize) -> Result<&[u8]> {
        let end = start.saturating_add(len as u64);
        if start < self.buffer.start() || end > self.total_bytes() {
            return Err(Error::new(ErrorKind::Invalid, "The file's parts overlap, or reach beyond its end."));
        }
        loop {
            self.buffer.forget_until(start);
            if self.position() >= end {
                return Ok(&self.buffer.bytes()[..len]);
            }
            self.pull().await?;
        }
    }

    /// Takes in the rest, compares the checksum if one was published, and says what became of the wish to keep the file.
    pub async fn finish(&mut self) -> Result<Kept> {
        let wants_all = self.download.is_some() || self.keeper.is_some() || self.local_is_stored;
        while wants_all && self.position() < self.total_bytes() {
            self.buffer.forget_until(self.position());
            self.pull().await?;
        }
        let verified = self.verify()?;
        if verified && self.keeper.is_none() && self.kept == Kept::Yes {
            // Stored whole by a load that ended before it could compare.
            self.keeper = Keeper::open(&self.id, self.sidecar.clone()).await.ok();
        }
        if let Some(keeper) = self.keeper.take()
            && let Err(error) = keeper.complete(verified)
        {
            self.kept = Kept::No(error.to_string());
        }
        Ok(self.kept.clone())
    }

    fn verify(&mut self) -> Result<bool> {
        let (Some(checksum), Some(published)) = (self.checksum.take(), &self.sidecar.sha256) else { return Ok(false) };
        match checksum.finish() == *published {
            true => Ok(true),
            false => Err(Error::new(
                ErrorKind::Invalid,
                "What arrived is not the file that was published: its checksum differs. It was not kept; load again.",
            )),
        }
    }

    /// Why nothing is used of what was stored, if something was.
    pub fn outdated(&self) -> Option<StartOver> {
        self.outdated
    }

    /// Of a file that turned out to be no good: why reading it anew, without what is stored, may go better.
    pub fn may_start_over(&self) -> Option<StartOver> {
        let has_changed = self.download.as_ref().is_some_and(Download::changed);
        let is_stored = self.local.is_some() && self.local_is_stored;
        has_changed.then_some(StartOver::Changed).or(is_stored.then_some(StartOver::Unusable))
    }

    /// Removes what is stored of a file that turned out to be no good.
    pub async fn discard(mut self) {
        // If another tab is at it, that tab will find out by itself.
        match self.keeper.take() {
            Some(keeper) => keeper.discard().await.ok(),
            None if self.local_is_stored => opfs::delete(&self.id).await.ok(),
            None => None,
        };
    }

    /// Bytes that have passed so far.
    fn position(&self) -> u64 {
        self.buffer.end()
    }

    /// Takes in the next chunk.
    async fn pull(&mut self) -> Result<()> {
        // Chunks that are there already would leave the browser no moment to deliver the wish to cancel.
        js::yield_to_browser().await;
        self.cancel.check()?;
        let position = self.position();
        let stage = if position < self.local_bytes { LoadStage::Read } else { LoadStage::Download };
        let bytes = match (stage, &mut self.download) {
            (LoadStage::Download, Some(download)) => download.next().await?,
            (LoadStage::Download, None) => return Err(Error::new(ErrorKind::Invalid, "The file ends too early.")),
            (LoadStage::Read, _) => self.read_local(position).await?,
        };
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&bytes);
        }
        self.fingerprint.update(&bytes);
        self.check_stored(position + bytes.len() as u64)?;
        self.keep_bytes(position, &bytes).await;
        self.buffer.extend(&bytes);
        (self.on_progress)(stage, self.position(), self.total_bytes());
        Ok(())
    }

    /// At the end of what is stored: is it still what was written?
    fn check_stored(&self, position: u64) -> Result<()> {
        let at_its_end = self.local_is_stored && position == self.local_bytes;
        match &self.sidecar.fingerprint {
            Some(written) if at_its_end && *written != self.fingerprint.value() => Err(Error::new(
                ErrorKind::Invalid,
                "The copy on this device was damaged, and is removed. Load the model again.",
            )),
            Some(_) | None => Ok(()),
        }
    }

    async fn read_local(&self, start: u64) -> Result<Vec<u8>> {
        let end = self.local_bytes.min(start + CHUNK_BYTES);
        // A `File` is out of date as soon as its file is written to.
        if let Some(keeper) = self.keeper.as_ref().filter(|keeper| keeper.written_bytes() >= end) {
            let mut bytes = vec![0; usize::try_from(end - start).expect("a chunk is small")];
            keeper.read(start, &mut bytes)?;
            return Ok(bytes);
        }
        let local = self.local.as_ref().expect("there are local bytes");
        let chunk = local.slice_with_f64_and_f64(js::number(start), js::number(end));
        match chunk.expect("a slice only names bytes").array_buffer().await {
            Ok(bytes) => Ok(Uint8Array::new(&bytes).to_vec()),
            Err(error) if self.local_is_stored => {
                Err(js::error(ErrorKind::Invalid, "The copy on this device cannot be read", &error))
            }
            Err(_) => {
                let message = "The file cannot be read: it was moved or changed since you chose it. Choose it again.";
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    async fn keep_bytes(&mut self, position: u64, bytes: &[u8]) {
        let Some(keeper) = &mut self.keeper else { return };
        if position < keeper.written_bytes() {
            return;
        }
        if let Err(error) = keeper.append(bytes, &self.fingerprint) {
            self.kept = Kept::No(error.to_string());
            if let Some(keeper) = self.keeper.take() {
                keeper.discard().await.ok();
            }
        }
    }
}
