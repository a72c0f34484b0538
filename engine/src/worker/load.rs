//! From a source to a session: the header first, the decision, then the weights, piece by piece.

use super::backend_choice::{BackendChoice, BackendChooser};
use super::gpu_fallback::FallbackReason;
use super::gpu_request::gpu_request;
use super::timeout::unless_cancelled;
use super::{budget, info, threads};
use crate::backend::{Backend, BackendKind};
use crate::chat::Template;
use crate::cpu::Cpu;
use crate::error::{Error, ErrorKind, Result};
use crate::gguf::{self, Gguf, Parsed};
use crate::load::Loader;
use crate::model::Model;
use crate::plan::{Batch, Outputs};
use crate::protocol::{Kept, LoadOptions, LoadStage, ModelInfo, Source, StartOver};
use crate::session::{CHUNK_TOKENS, Session};
use crate::store::{Cancel, OpenOptions, Reader, js, source};
use crate::tokenizer::Tokenizer;
use js_sys::Reflect;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use web_sys::File;

/// Enough for most headers, and little if the file turns out to be something else.
const HEAD_BYTES: u64 = 1 << 20;

/// What the loader of a variant with threads calls the most memory, in pages, that the browser let it share
/// (`xtask/src/variants.rs`).
const PAGES_MAX: &str = "memoryPagesMax";
const PAGE_BYTES: u64 = 64 << 10;

/// A model that is ready to answer.
pub(super) struct Loaded {
    pub(super) session: Session,
    pub(super) info: ModelInfo,
}

/// Which model, and how.
pub(super) struct Wanted<'a> {
    pub(super) options: &'a LoadOptions,
    /// A person's own file.
    pub(super) file: Option<File>,
    /// Otherwise it comes from this device or not at all.
    pub(super) may_download: bool,
    pub(super) cancel: &'a Cancel,
    pub(super) on_progress: Rc<dyn Fn(LoadStage, u64, u64)>,
    /// Hears why the load begins again from the first byte, if it does.
    pub(super) on_start_over: fn(StartOver),
}

/// Loads a model. `old`, the one before it, is let go when it is certain that the new one can run, and that it fits if it
/// runs on the CPU.
pub(super) async fn load(
    wanted: Wanted<'_>,
    backends: &mut BackendChooser,
    old: &mut Option<Session>,
) -> Result<Loaded> {
    let Wanted { options, may_download, cancel, on_start_over, .. } = wanted;
    let start_ms = js::now_ms();
    let mut use_stored = true;
    loop {
        let had_fallback = backends.has_fallback();
        let mut reader = Reader::open(OpenOptions {
            source: &options.source,
            hub: &options.hub,
            file: wanted.file.clone(),
            use_stored,
            may_download,
            cancel,
            on_progress: wanted.on_progress.clone(),
        })
        .await?;
        reader.outdated().into_iter().for_each(on_start_over);
        match read(&mut reader, options, cancel, backends, old).await {
            Ok(Loaded { session, info }) => {
                let load_secs = (js::now_ms() - start_ms) / 1000.0;
                return Ok(Loaded { session, info: ModelInfo { load_secs, ..info } });
            }
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let why = reader.may_start_over().filter(|_| use_stored && may_download && can_come_again(options));
                reader.discard().await;
                let Some(why) = why else { return Err(error) };
                on_start_over(why);
                use_stored = false;
            }
            // Once more, on the CPU.
            Err(_) if !had_fallback && backends.has_fallback() => {}
            Err(error) => return Err(error),
        }
    }
}

fn can_come_again(options: &LoadOptions) -> bool {
    match options.source {
        Source::Hub { .. } | Source::Url(_) => true,
        Source::Local { .. } => false,
    }
}

async fn read(
    reader: &mut Reader,
    options: &LoadOptions,
    cancel: &Cancel,
    backends: &mut BackendChooser,
    old: &mut Option<Session>,
) -> Result<Loaded> {
    let gguf = header(reader).await?;
    let BackendChoice { kind, tier, is_fallback } =
        backends.choose(gpu_request(options.backend), options.cache, cancel).await?;
    let is_cpu = matches!(kind, BackendKind::Cpu(_));
    let n_ctx = context(&gguf, options, is_cpu)?;
    if reader.is_remote() {
        // The session makes both again, which takes a moment; a download in vain takes longer.
        Template::new(&gguf.metadata, &Tokenizer::new(&gguf.metadata)?)?;
    }
    *old = None;
    // On a GPU, there is nothing for threads to do.
    let n_threads = if is_cpu { options.threads } else { 1 };
    let loader = Loader::new(&gguf, kind, n_ctx, threads::machine(n_threads));
    let filled = match loader {
        Ok(loader) => fill(reader, loader, options.keep, cancel).await,
        Err(error) => Err(error),
    };
    let (model, backend, kept) = filled.inspect_err(|error| {
        if let Some(reason) = FallbackReason::of_load(error).filter(|_| !is_cpu) {
            backends.note_fallback(reason);
        }
    })?;
    let info = ModelInfo {
        name: info::name(&gguf, source::file_name(&options.source)),
        architecture: model.config.architecture.to_owned(),
        weight_type: info::weight_type(&gguf),
        n_params: info::n_params(&gguf),
        size_bytes: reader.total_bytes(),
        context_tokens: tokens(backend.n_ctx()),
        trained_context_tokens: tokens(model.config.n_ctx_train),
        backend: backend.name().to_owned(),
        tier,
        is_second_best: is_fallback,
        roomy_context_tokens: backends.gpu_context().map(tokens),
        cache: backend.cache_type(),
        threads: backend.threads(),
        variant: info::variant().to_owned(),
        can_think: false,
        fallback_template: None,
        load_secs: 0.0,
        kept,
    };
    let session = Session::new(&gguf, model, backend)?;
    let template = session.template();
    let fallback_template = template.fallback_name().map(str::to_owned);
    Ok(Loaded { info: ModelInfo { can_think: template.can_think(), fallback_template, ..info }, session })
}

/// Reads the weights, and tries them out where they may have come to nothing.
async fn fill(reader: &mut Reader, mut loader: Loader, keep: bool, cancel: &Cancel) -> Result<(Model, Backend, Kept)> {
    unless_cancelled(cancel, loader.test()).await?;
    if keep {
        reader.keep().await;
    }
    for piece in loader.pieces() {
        let bytes = reader.read(piece.offset, piece.len).await?;
        loader.put(&piece, bytes)?;
    }
    let kept = reader.finish().await?;
    threads::arrive().await;
    let (model, mut backend) = loader.finish()?;
    if let Backend::Gpu(gpu) = &mut backend {
        // A device says that memory ran out only when it is waited for.
        unless_cancelled(cancel, gpu.forward(&Batch { tokens: &[0], outputs: Outputs::Last })).await?;
        gpu.rewind(0);
    }
    Ok((model, backend, kept))
}

async fn header(reader: &mut Reader) -> Result<Gguf> {
    let total_bytes = reader.total_bytes();
    let mut bytes = HEAD_BYTES;
    loop {
        match gguf::parse(reader.head(bytes).await?, total_bytes)? {
            Parsed::Complete(gguf) => return Ok(gguf),
            Parsed::NeedMore { bytes: more } => bytes = more,
        }
    }
}

/// The context to load with, if this engine can run the model at all, and if the heap, where the CPU needs it, has room.
fn context(gguf: &Gguf, options: &LoadOptions, is_cpu: bool) -> Result<usize> {
    let model = Model::new(gguf)?;
    let context_tokens = (options.context_tokens as usize).min(model.config.n_ctx_train);
    if !is_cpu {
        return Ok(context_tokens);
    }
    let codecs = model.codecs(gguf);
    let too_large = |what| {
        let message =
            format!("{what} of this model is more than a page can hold in one piece. Choose a smaller model.");
        Error::new(ErrorKind::Memory, message)
    };
    let weights_bytes = Cpu::weights_bytes(&model.plan, &codecs).ok_or_else(|| too_large("A matrix"))?;
    let activations_bytes = Cpu::activations_bytes(&model.plan, CHUNK_TOKENS).ok_or_else(|| too_large("A buffer"))?;
    let need = budget::Need {
        model_bytes: weights_bytes.saturating_add(activations_bytes),
        memory_bytes: |n_ctx| Cpu::memory_bytes(&model.plan, n_ctx, options.cache),
        context_tokens,
    };
    budget::context_tokens(need, heap_bytes())
}

fn tokens(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What a page may have of this device, and where memory is shared, what the browser has given.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates as it becomes an integer"
)]
fn heap_bytes() -> u64 {
    let navigator = js::scope().navigator();
    // An iPad may be named in the address only.
    let device = navigator.user_agent().unwrap_or_default() + &js::scope().location().search();
    let of_device = budget::heap_bytes(number(&navigator, "deviceMemory"), &device);
    number(&js::scope(), PAGES_MAX).map_or(of_device, |pages| of_device.min(pages as u64 * PAGE_BYTES))
}

/// A number that `object` has under this name.
fn number(object: &JsValue, name: &str) -> Option<f64> {
    Reflect::get(object, &name.into()).ok()?.as_f64()
}
