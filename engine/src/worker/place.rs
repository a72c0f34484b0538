//! Where a model is to run: on the GPU if there is one that computes what it should, else on the CPU, and why.
//!
//! The worker's own address can say it, for tests: `?gpu=off`, `?gpu=plain` (nothing but what every GPU can do), `?gpu=on`
//! (also one that is a program on the CPU), `?gpu=dots` (the same, with products of bytes, also where they are slow).

use crate::backend::BackendKind;
use crate::error::Result;
use crate::gpu::{Device, Options, self_test};
use crate::protocol::{BackendWish, CacheType};
use crate::store::js;
use js_sys::{Array, Function, Object, Promise, Reflect};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasm_bindgen::prelude::*;

/// A feature of WebGPU that kernels use.
const SUBGROUPS: &str = "subgroups";
/// A feature of its language.
const DOTS: &str = "packed_4x8_integer_dot_product";
/// How the names of architectures begin that have an instruction for it, in the words of Chromium's `GPUAdapterInfo`.
const DOTS_ARCHITECTURES: [&str; 11] =
    ["rdna-2", "rdna-3", "rdna-4", "gen-12", "xe", "pascal", "volta", "turing", "ampere", "lovelace", "blackwell"];

/// What a person, or a test, wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Where it is fastest.
    Best,
    /// On the CPU.
    Cpu,
    /// On the GPU, whatever it is.
    Gpu,
    /// On the GPU, with nothing that some GPU lacks.
    Plain,
    /// On the GPU, with products of bytes.
    Dots,
}

/// Where a model is to run.
pub(super) struct Place {
    pub(super) kind: BackendKind,
    /// What of that device's abilities is used; on the CPU, why it is not the GPU, if anybody could wonder.
    pub(super) why: String,
}

/// What the worker's own address says; where it says nothing, what the page wishes.
pub(super) fn wish(of_page: BackendWish) -> Wish {
    let search =
        Reflect::get(&js::scope(), &"location".into()).and_then(|location| Reflect::get(&location, &"search".into()));
    let search = search.ok().and_then(|search| search.as_string()).unwrap_or_default();
    match search.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("gpu=")) {
        Some("off") => Wish::Cpu,
        Some("on") => Wish::Gpu,
        Some("plain") => Wish::Plain,
        Some("dots") => Wish::Dots,
        Some(_) | None => match of_page {
            BackendWish::Best => Wish::Best,
            BackendWish::Cpu => Wish::Cpu,
            BackendWish::Gpu => Wish::Gpu,
        },
    }
}

/// How often a device was lost, or refused a step, since a person chose the model or a reply came to its end.
static N_FAILURES: AtomicUsize = AtomicUsize::new(0);
/// After so many failures, the GPU is left alone.
const N_FAILURES_MAX: usize = 2;

/// Takes note that a person chooses a model: whatever failed before may work now.
pub(super) fn start_anew() {
    N_FAILURES.store(0, Ordering::Relaxed);
    note_obstacle(None);
}

/// Takes note that a device was lost, or refused a step.
pub(super) fn note_failure() {
    N_FAILURES.fetch_add(1, Ordering::Relaxed);
}

/// Takes note that a reply came to its end: what fails next, a computer's sleep between two replies, say, is something new.
pub(super) fn note_success() {
    N_FAILURES.store(0, Ordering::Relaxed);
}

/// What keeps a model from the GPU.
#[derive(Debug, Clone)]
pub(super) enum Obstacle {
    NoRoomForModel,
    NoRoomForConversation,
    /// What was said when it failed.
    Failure(String),
}

impl Obstacle {
    /// In words, and what can be done about it.
    fn why(&self) -> String {
        match self {
            Self::NoRoomForModel => "the GPU has not enough memory for it".to_owned(),
            Self::Failure(message) => format!("the GPU failed while it was loaded: {message}"),
            Self::NoRoomForConversation => "the GPU has not enough memory for so long a conversation; with a smaller \
                                            context, in the settings, it stays there"
                .to_owned(),
        }
    }
}

thread_local! {
    /// Of the model that is here, or on its way.
    static OBSTACLE: RefCell<Option<Obstacle>> = const { RefCell::new(None) };
}

/// Takes note of what keeps the model from the GPU, or, with none, that nothing is known to.
pub(super) fn note_obstacle(obstacle: Option<Obstacle>) {
    OBSTACLE.set(obstacle);
}

/// Whether anything does.
pub(super) fn has_obstacle() -> bool {
    OBSTACLE.with_borrow(Option::is_some)
}

/// Tries what is wished, and steps down until something works; the CPU then keeps keys and values this way.
pub(super) async fn choose(wish: Wish, cache_type: CacheType) -> Place {
    if N_FAILURES.load(Ordering::Relaxed) >= N_FAILURES_MAX {
        return Place { kind: BackendKind::Cpu(cache_type), why: "the GPU failed twice".to_owned() };
    }
    if let Some(why) = OBSTACLE.with_borrow(|obstacle| obstacle.as_ref().map(Obstacle::why)) {
        return Place { kind: BackendKind::Cpu(cache_type), why };
    }
    if wish == Wish::Cpu {
        return Place { kind: BackendKind::Cpu(cache_type), why: String::new() };
    }
    match device(wish).await {
        Ok((device, why)) => Place { kind: BackendKind::Gpu(device), why },
        Err(why) => Place { kind: BackendKind::Cpu(cache_type), why },
    }
}

/// A device that has passed the test.
#[derive(Clone)]
struct Tested {
    wish: Wish,
    device: Device,
    /// What of its abilities is used.
    used: String,
}

thread_local! {
    /// The last one, for the next model.
    static TESTED: RefCell<Option<Tested>> = const { RefCell::new(None) };
}

/// A device that has passed the test, and what is used of it; or why there is none.
async fn device(wish: Wish) -> std::result::Result<(Device, String), String> {
    let is_good = |Tested { wish: of, device, .. }: &Tested| *of == wish && device.check().is_ok();
    let tested = match TESTED.take().filter(is_good) {
        Some(tested) => tested,
        None => find(wish).await?,
    };
    TESTED.set(Some(tested.clone()));
    Ok((tested.device.without_pipelines(), tested.used))
}

/// Finds a device for a wish, and tests it; or says why there is none.
async fn find(wish: Wish) -> std::result::Result<Tested, String> {
    let adapter = Adapter::find().await.ok_or("this browser offers no GPU to compute with")?;
    if adapter.is_software && wish == Wish::Best {
        return Err("the browser's GPU is a program, and slower".to_owned());
    }
    let best = Options { has_dots: adapter.has_dots || wish == Wish::Dots, ..adapter.options() };
    let plain = Options { plain: true, ..Options::default() };
    let mut steps = vec![best, Options { has_dots: false, ..best }, plain];
    steps.dedup();
    let mut why = String::new();
    for options in steps.into_iter().filter(|options| options.plain || wish != Wish::Plain) {
        match tested(options).await {
            Ok(device) => {
                let tier = device.tier();
                let used =
                    if why.is_empty() { tier.to_string() } else { format!("{tier}, because more failed: {why}") };
                return Ok(Tested { wish, device, used });
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

async fn tested(options: Options) -> Result<Device> {
    let device = Device::open(options).await?;
    self_test(&device).await.inspect_err(|_error| device.destroy())?;
    Ok(device)
}

/// What can be used of this browser's GPU; none if it has none.
pub async fn gpu_options() -> Option<Options> {
    Some(Adapter::find().await?.options())
}

/// What the browser says of its GPU.
struct Adapter {
    has_subgroups: bool,
    has_dots: bool,
    is_software: bool,
}

impl Adapter {
    async fn find() -> Option<Self> {
        let gpu = Reflect::get(&js::scope().navigator(), &"gpu".into()).ok().filter(JsValue::is_object)?;
        ask_for_subgroups(&gpu);
        let request: Function = Reflect::get(&gpu, &"requestAdapter".into()).ok()?.dyn_into().ok()?;
        // As `Device::open` asks: of two GPUs, the same one.
        let wanted = Object::new();
        Reflect::set(&wanted, &"powerPreference".into(), &"high-performance".into()).ok()?;
        let promise: Promise = request.call1(&gpu, &wanted).ok()?.dyn_into().ok()?;
        let adapter = promise.await.ok().filter(JsValue::is_object)?;
        let info = Reflect::get(&adapter, &"info".into()).unwrap_or_default();
        let text = |name: &str| Reflect::get(&info, &name.into()).ok().and_then(|v| v.as_string()).unwrap_or_default();
        let is_fallback = Reflect::get(&info, &"isFallbackAdapter".into()).is_ok_and(|v| v.is_truthy());
        let words = ["architecture", "device", "description"].map(text).join(" ").to_lowercase();
        let is_software =
            is_fallback || ["swiftshader", "llvmpipe", "basic render"].iter().any(|name| words.contains(name));
        // Every browser that has the language feature has the function, but not every GPU an instruction for it, and no browser
        // tells. Metal has none for any of them. Before Adreno 750, Qualcomm's multiplies only unlike signs; for that one,
        // Mesa's compiler crashes (25.0.7, `ir3_rpt.c`).
        let is_known = has(&Reflect::get(&gpu, &"wgslLanguageFeatures".into()).unwrap_or_default(), DOTS);
        let is_metal = js::scope().navigator().user_agent().is_ok_and(|agent| agent.contains("Mac OS"));
        let architecture = text("architecture").to_lowercase();
        let has_dots = is_known
            && !is_software
            && !is_metal
            && DOTS_ARCHITECTURES.iter().any(|name| architecture.starts_with(name));
        Some(Self { has_subgroups: has_feature(&adapter, SUBGROUPS), has_dots, is_software })
    }

    fn options(&self) -> Options {
        Options { has_subgroups: self.has_subgroups, has_dots: self.has_dots, ..Options::default() }
    }
}

fn has_feature(adapter: &JsValue, name: &str) -> bool {
    has(&Reflect::get(adapter, &"features".into()).unwrap_or_default(), name)
}

/// Whether a set has this member.
fn has(set: &JsValue, name: &str) -> bool {
    let answer = method(set, "has").and_then(|has| has.call1(set, &name.into()).ok());
    answer.is_some_and(|answer| answer.is_truthy())
}

/// The library that talks to the GPU never asks a browser for subgroups (<https://github.com/gfx-rs/wgpu/issues/10146>), so
/// this puts them into what it asks for: `navigator.gpu.requestAdapter` gives adapters whose `requestDevice` adds them.
fn ask_for_subgroups(gpu: &JsValue) {
    let Some(request) = method(gpu, "requestAdapter") else { return };
    let is_done = Reflect::get(gpu, &DONE.into()).is_ok_and(|done| done.is_truthy());
    if is_done {
        return;
    }
    let this = gpu.clone();
    let wrapped = Closure::<dyn Fn(JsValue) -> JsValue>::new(move |options: JsValue| {
        let wrap = Closure::once_into_js(|adapter: JsValue| {
            wrap_adapter(&adapter);
            adapter
        });
        let adapter = request.call1(&this, &options).unwrap_or_default();
        match method(&adapter, "then") {
            Some(then) => then.call1(&adapter, &wrap).unwrap_or_default(),
            None => adapter,
        }
    });
    set(gpu, "requestAdapter", &wrapped.into_js_value());
    set(gpu, DONE, &JsValue::TRUE);
}

/// A mark of ours on the browser's object.
const DONE: &str = "minnowAsksForSubgroups";

fn wrap_adapter(adapter: &JsValue) {
    let Some(request) = method(adapter, "requestDevice").filter(|_| has_feature(adapter, SUBGROUPS)) else { return };
    let this = adapter.clone();
    let wrapped = Closure::<dyn Fn(JsValue) -> JsValue>::new(move |descriptor: JsValue| {
        let descriptor = if descriptor.is_object() { descriptor } else { Object::new().into() };
        let features = Reflect::get(&descriptor, &"requiredFeatures".into()).unwrap_or_default();
        let features = if features.is_object() { Array::from(&features) } else { Array::new() };
        features.push(&SUBGROUPS.into());
        set(&descriptor, "requiredFeatures", &features);
        request.call1(&this, &descriptor).unwrap_or_default()
    });
    set(adapter, "requestDevice", &wrapped.into_js_value());
}

fn method(object: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(object, &name.into()).ok()?.dyn_into().ok()
}

/// Browsers let their objects have properties of ours; where one does not, all stays as it was.
fn set(object: &JsValue, name: &str, value: &JsValue) {
    Reflect::set(object, &name.into(), value).ok();
}
