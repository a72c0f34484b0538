//! Opens a model file, for the examples and for the tests.

#![allow(dead_code, reason = "each of them uses a part of it")]

#[path = "disk.rs"]
mod disk;

use disk::File;
use engine::backend::{Backend, BackendKind};
use engine::cpu::{Machine, Pool};
use engine::error::{Error, ErrorKind, Result};
use engine::gguf::{self, Gguf, Parsed};
use engine::gpu::{Device, Options};
use engine::load::Loader;
use engine::model::Model;
use engine::protocol::CacheType;
use std::io::{Read, Seek, SeekFrom};

/// The first guess at the length of a header.
const HEAD_BYTES: u64 = 1 << 20;

/// A model that is ready to run.
pub(crate) struct Opened {
    /// The file's header.
    pub(crate) gguf: Gguf,
    /// What it computes.
    pub(crate) model: Model,
    /// Where.
    pub(crate) backend: Backend,
}

/// How keys and values are kept, by its name.
pub(crate) fn cache_type(name: &str) -> Result<CacheType> {
    let known = CacheType::ALL.into_iter().find(|cache_type| cache_type.name() == name);
    known.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("there is no cache of type {name:?}, only f16 and q8_0"))
    })
}

/// The backend of this name; only the CPU keeps keys and values in another way than as f16.
pub(crate) fn backend_kind(name: &str, cache_type: CacheType) -> Result<BackendKind> {
    if cache_type != CacheType::F16 && name != "cpu" {
        let message = format!("{name} keeps keys and values in its own way: {} is for the CPU", cache_type.name());
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    match name {
        "reference" => Ok(BackendKind::Reference),
        "cpu" => Ok(BackendKind::Cpu(cache_type)),
        "gpu" => gpu(Options::default()),
        "gpu-plain" => gpu(Options { plain: true, ..Options::default() }),
        "gpu-dots" => gpu(Options { has_dots: true, ..Options::default() }),
        _ => {
            let message = format!("there is no backend {name:?}, only reference, cpu, gpu, gpu-plain and gpu-dots");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

fn gpu(options: Options) -> Result<BackendKind> {
    pollster::block_on(Device::open(options)).map(BackendKind::Gpu)
}

/// The header of the file at `path`.
pub(crate) fn gguf(path: &str) -> Result<Gguf> {
    File::open(path).and_then(|mut file| header(&mut file)).map_err(|error| unreadable(path, &error))?
}

/// Loads the model at `path`, with room for `n_ctx` tokens.
pub(crate) fn model(path: &str, kind: BackendKind, n_ctx: usize) -> Result<Opened> {
    let unreadable = |error| unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let gguf = header(&mut file).map_err(unreadable)??;
    let mut loader = Loader::new(&gguf, kind, n_ctx, machine())?;
    for piece in loader.pieces() {
        let mut bytes = vec![0; piece.len];
        file.seek(SeekFrom::Start(piece.offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(unreadable)?;
        loader.put(&piece, &bytes)?;
    }
    let (model, backend) = loader.finish()?;
    Ok(Opened { gguf, model, backend })
}

/// All cores, and the clock of the system.
#[cfg(not(target_arch = "wasm32"))]
fn machine() -> Machine {
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Machine { pool: Pool::spawn(n_threads), clock: seconds, tune: true }
}

/// One thread, and no clock.
#[cfg(target_arch = "wasm32")]
fn machine() -> Machine {
    Machine { pool: Pool::alone(), clock: || 0.0, tune: false }
}

/// Since it was first asked.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn seconds() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::NotFound, format!("{path} cannot be read: {error}"))
}

fn header(file: &mut File) -> std::io::Result<Result<Gguf>> {
    let file_bytes = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut head = Vec::new();
    let mut wanted = HEAD_BYTES;
    loop {
        let missing = wanted.min(file_bytes).saturating_sub(head.len() as u64);
        file.take(missing).read_to_end(&mut head)?;
        match gguf::parse(&head, file_bytes) {
            Ok(Parsed::NeedMore { bytes }) => wanted = bytes,
            Ok(Parsed::Complete(gguf)) => return Ok(Ok(gguf)),
            Err(error) => return Ok(Err(error)),
        }
    }
}
