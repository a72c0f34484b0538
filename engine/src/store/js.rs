//! The few things of the browser that several modules need.

use crate::chat::Now;
use crate::error::{Error, ErrorKind};
use js_sys::{ArrayBuffer, Date, Function, Promise, Reflect, WebAssembly};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AddEventListenerOptions, DedicatedWorkerGlobalScope, MessageChannel};

/// The worker's global scope.
pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// A JS error's `name`: `AbortError`, `QuotaExceededError`, …
pub fn error_name(error: &JsValue) -> String {
    property(error, "name")
}

/// An error of the browser, as ours: `what` is a sentence without its full stop.
pub fn error(kind: ErrorKind, what: &str, error: &JsValue) -> Error {
    Error::new(kind, format!("{what} ({}: {}).", error_name(error), property(error, "message")))
}

fn property(object: &JsValue, name: &str) -> String {
    Reflect::get(object, &name.into()).ok().and_then(|value| value.as_string()).unwrap_or_else(|| "?".to_owned())
}

/// Milliseconds since the worker began.
pub fn now_ms() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now())
}

/// What the clock on the wall says.
pub fn wall_clock() -> Now {
    let date = Date::new_0();
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds and minutes, far from the limits")]
    let (unix_secs, minutes_behind_utc) = ((date.get_time() / 1000.0) as i64, date.get_timezone_offset() as i32);
    Now { unix_secs, utc_offset_secs: -60 * minutes_behind_utc }
}

/// A seed that nobody can guess.
pub fn random_seed() -> u64 {
    // Not in our own memory: the browser does not write random numbers where other threads can read.
    let bytes = js_sys::Uint8Array::new_with_length(8);
    let crypto = scope().crypto().expect("every worker has crypto");
    crypto.get_random_values_with_js_u8_array(&bytes).expect("eight bytes are not too many");
    let mut seed = [0; 8];
    bytes.copy_to(&mut seed);
    u64::from_le_bytes(seed)
}

/// Bytes of the wasm heap.
pub fn heap_bytes() -> u64 {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: ArrayBuffer = memory.buffer().unchecked_into();
    buffer.byte_length().into()
}

/// Waits.
pub async fn sleep(ms: u32) {
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        gloo::timers::callback::Timeout::new(ms, move || call(&resolve)).forget();
    });
    wait(promise).await;
}

/// Lets the browser deliver what has arrived meanwhile. A message to ourselves comes back after the messages that were
/// there before it, and unlike a timer it is not held back for 4 ms.
pub async fn yield_to_browser() {
    thread_local! {
        static CHANNEL: MessageChannel = new_channel();
    }
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        CHANNEL.with(|channel| {
            let once = AddEventListenerOptions::new();
            once.set_once(true);
            let (back, out) = (channel.port1(), channel.port2());
            back.add_event_listener_with_callback_and_add_event_listener_options("message", &resolve, &once)
                .expect("a port takes listeners");
            out.post_message(&JsValue::NULL).expect("null can be sent");
        });
    });
    wait(promise).await;
}

fn new_channel() -> MessageChannel {
    let channel = MessageChannel::new().expect("every worker has message channels");
    channel.port1().start();
    channel
}

async fn wait(promise: Promise) {
    promise.await.expect("this promise is never rejected");
}

fn call(function: &Function) {
    function.call0(&JsValue::UNDEFINED).expect("resolving a promise does not throw");
}

/// A byte count or an offset, as JS numbers hold it: exact up to 2⁵³.
pub fn number(n: u64) -> f64 {
    n as f64
}

/// The byte count in a JS number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates as it becomes an integer"
)]
pub fn bytes(n: f64) -> u64 {
    n as u64
}
