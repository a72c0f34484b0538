//! The few things of the browser that several modules need.

use crate::error::{Error, ErrorKind};
use js_sys::{Function, Promise, Reflect};
use std::cell::OnceCell;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel};

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
        static CHANNEL: OnceCell<MessageChannel> = const { OnceCell::new() };
    }
    let promise = Promise::new(&mut |resolve: Function, _reject| {
        CHANNEL.with(|channel| {
            let channel = channel.get_or_init(|| MessageChannel::new().expect("every worker has message channels"));
            channel.port1().set_onmessage(Some(&resolve));
            channel.port2().post_message(&JsValue::NULL).expect("null can be sent");
        });
    });
    wait(promise).await;
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
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float saturates as it becomes an integer")]
pub fn bytes(n: f64) -> u64 {
    n as u64
}
