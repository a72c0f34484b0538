//! Where messages arrive, and the task that works through them.

use super::engine::Engine;
use super::post::{failed, post, report_panics};
use super::queue::{Job, Queue, Work};
use crate::error::{Error, ErrorKind};
use crate::protocol::{Event, Request, Stage};
use crate::store::{js, opfs};
use js_sys::futures::spawn_local;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use wasm_bindgen::prelude::*;
use web_sys::{File, MessageEvent};

#[derive(Default)]
struct Inbox {
    queue: Queue<File>,
    /// Wakes the task when there is work.
    waker: Option<Waker>,
}

thread_local! {
    static INBOX: RefCell<Inbox> = RefCell::default();
}

/// Listens for requests, and tells the page so.
pub fn start() {
    // The inbox may be borrowed at the moment of a panic; then the page learns of it as of an error in loading.
    report_panics(|| INBOX.with(|inbox| inbox.try_borrow().ok()?.queue.running()).unwrap_or(Stage::Load));
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(|message: MessageEvent| receive(&message.data()));
    js::scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    spawn_local(work());
    post(&Event::READY);
}

/// A message is JSON text, or `[text, File]`.
fn receive(message: &JsValue) {
    let (text, file) = match message.dyn_ref::<js_sys::Array>() {
        Some(pair) => (pair.get(0).as_string(), pair.get(1).dyn_into::<File>().ok()),
        None => (message.as_string(), None),
    };
    match serde_json::from_str(&text.unwrap_or_default()) {
        Ok(request) => answer(request, file),
        Err(error) => {
            let message = format!("Page and engine do not understand each other ({error}): reload the page.");
            failed(Stage::Store, &Error::new(ErrorKind::Invalid, message));
        }
    }
}

fn answer(request: Request, file: Option<File>) {
    match request {
        Request::List => spawn_local(list()),
        Request::Delete { id } => spawn_local(delete(id)),
        Request::Load(options) => push(Work::Load(options, file)),
        Request::Generate(options) => push(Work::Generate(options)),
        Request::Bench(options) => push(Work::Bench(options)),
        Request::CancelLoad => INBOX.with_borrow(|inbox| inbox.queue.end_loads()),
        Request::Stop => INBOX.with_borrow(|inbox| inbox.queue.end_replies()),
    }
}

async fn list() {
    let models = opfs::list().await;
    let opfs::Room { used_bytes, quota_bytes } = opfs::room().await;
    post(&Event::Stored { models, used_bytes, quota_bytes });
}

async fn delete(id: String) {
    if let Err(error) = opfs::delete(&id).await {
        failed(Stage::Store, &error);
    }
    list().await;
}

fn push(work: Work<File>) {
    let waker = INBOX.with_borrow_mut(|inbox| {
        inbox.queue.push(work);
        inbox.waker.take()
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn work() {
    let mut engine = Engine::default();
    loop {
        let job = next_job().await;
        engine.run(job).await;
    }
}

async fn next_job() -> Job<File> {
    poll_fn(|context| {
        INBOX.with_borrow_mut(|inbox| match inbox.queue.take() {
            Some(job) => Poll::Ready(job),
            None => {
                inbox.waker = Some(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await
}
