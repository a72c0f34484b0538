//! What the browser says of its GPU, and what the library that talks to it does not ask for by itself.

use crate::gpu::Options;
use crate::store::js;
use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

/// A feature of WebGPU that kernels use.
const SUBGROUPS: &str = "subgroups";
/// A feature of its language.
const DOTS: &str = "packed_4x8_integer_dot_product";
/// How the names of architectures begin that have an instruction for it, in the words of Chromium's `GPUAdapterInfo`.
const DOTS_ARCHITECTURES: [&str; 11] =
    ["rdna-2", "rdna-3", "rdna-4", "gen-12", "xe", "pascal", "volta", "turing", "ampere", "lovelace", "blackwell"];

/// The turn that tests of this browser's GPU begin with, as the page's address says: `?turn=1`.
pub fn first_turn() -> usize {
    let search = js::scope().location().search();
    search.strip_prefix("?turn=").and_then(|turn| turn.parse().ok()).unwrap_or(0)
}

/// What can be used of this browser's GPU; none if it has none.
pub async fn gpu_options() -> Option<Options> {
    let adapter = Adapter::find().await?;
    Some(adapter.options(adapter.has_dots))
}

/// See the module.
pub(super) struct Adapter {
    has_subgroups: bool,
    subgroup_size: Option<u32>,
    pub(super) has_dots: bool,
    /// It is a program on the CPU.
    pub(super) is_software: bool,
}

impl Adapter {
    /// The one that [`Device::open`](crate::gpu::Device::open) will get; none if there is none that it can use.
    pub(super) async fn find() -> Option<Self> {
        let gpu = Reflect::get(&js::scope().navigator(), &"gpu".into()).ok().filter(JsValue::is_object)?;
        ask_for_subgroups(&gpu);
        let request: Function = Reflect::get(&gpu, &"requestAdapter".into()).ok()?.dyn_into().ok()?;
        // As `Device::open` asks: of two GPUs, the same one.
        let wanted = Object::new();
        Reflect::set(&wanted, &"powerPreference".into(), &"high-performance".into()).ok()?;
        let promise: Promise = request.call1(&gpu, &wanted).ok()?.dyn_into().ok()?;
        let adapter = promise.await.ok().filter(JsValue::is_object)?;
        // Browsers whose adapters have none are older than what our library asks of them.
        let info = Reflect::get(&adapter, &"info".into()).ok().filter(JsValue::is_object)?;
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
        // Metal does not tell before a pipeline is made, so that a browser may say 4 of every GPU. Apple's own have 32, as
        // browsers believe, too (<https://github.com/gpuweb/gpuweb/issues/6240>).
        let has_subgroups = has_feature(&adapter, SUBGROUPS);
        let subgroup_size = (has_subgroups && text("vendor") == "apple").then_some(32);
        Some(Self { has_subgroups, subgroup_size, has_dots, is_software })
    }

    /// What can be used of it, with or without products of bytes.
    pub(super) fn options(&self, has_dots: bool) -> Options {
        let Self { has_subgroups, subgroup_size, .. } = *self;
        Options { plain: !has_subgroups && !has_dots, has_subgroups, subgroup_size, has_dots, ..Options::default() }
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
