//! The worker that runs the engine, as the page holds it.

use crate::browser;
use crate::variant::{self, PLAIN};
use protocol::{Event, LoadOptions, Request, Source, VERSION};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, File, MessageEvent, Worker, WorkerOptions, WorkerType};

/// What comes from the worker.
#[derive(Debug)]
pub enum Signal {
    Event(Box<Event>),
    /// The worker is gone, for this reason, in whole sentences.
    Died(String),
}

/// The engine in its worker.
#[derive(Clone)]
pub struct Engine(Rc<Inner>);

struct Inner {
    listener: Box<dyn Fn(Signal)>,
    running: RefCell<Option<Running>>,
    /// The local file that was loaded last: it cannot be found again by its name.
    file: RefCell<Option<File>>,
}

/// A worker, and the callbacks that must live as long as it does.
struct Running {
    worker: Worker,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(ErrorEvent)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl Engine {
    /// An engine that is not running yet.
    pub fn new(listener: impl Fn(Signal) + 'static) -> Self {
        Self(Rc::new(Inner { listener: Box::new(listener), running: RefCell::default(), file: RefCell::default() }))
    }

    /// Starts a fresh worker, of the fastest build that this browser can run; one that runs is ended.
    pub async fn start(&self) {
        let fastest = variant::runnable().await.pop().unwrap_or_else(|| PLAIN.to_owned());
        self.start_variant(&fastest);
        // It waits for the service worker, which may never come.
        spawn_local(browser::keep_page(fastest));
    }

    /// Starts a fresh worker of one build.
    pub fn start_variant(&self, name: &str) {
        match self.spawn(&variant::loader(name)) {
            Ok(running) => *self.0.running.borrow_mut() = Some(running),
            Err(error) => (self.0.listener)(Signal::Died(format!("{}.", browser::message(&error)))),
        }
    }

    /// Ends the worker, and gives its memory back.
    pub fn end(&self) {
        *self.0.running.borrow_mut() = None;
    }

    /// Holds a local file for loads of its name, also after a restart.
    pub fn hold(&self, file: File) {
        *self.0.file.borrow_mut() = Some(file);
    }

    /// Sends a request.
    pub fn post(&self, request: &Request) {
        let json = JsValue::from(serde_json::to_string(request).expect("plain data has a JSON form"));
        let message = match self.local_file(request) {
            Some(file) => js_sys::Array::of2(&json, &file).into(),
            None => json,
        };
        let running = self.0.running.borrow();
        let Some(running) = running.as_ref() else { return };
        if let Err(error) = running.worker.post_message(&message) {
            (self.0.listener)(Signal::Died(format!("{}.", browser::message(&error))));
        }
    }

    /// The file that a request is about, if it is at hand; else the worker looks for it on the device.
    fn local_file(&self, request: &Request) -> Option<File> {
        match request {
            Request::Load(LoadOptions { source: Source::Local { name }, .. }) => {
                self.0.file.borrow().clone().filter(|file| file.name() == *name)
            }
            Request::Load(_)
            | Request::List
            | Request::CancelLoad
            | Request::Delete { .. }
            | Request::Generate(_)
            | Request::Stop
            | Request::Bench(_) => None,
        }
    }

    fn spawn(&self, url: &str) -> Result<Running, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(url, &options)?;
        let inner = Rc::clone(&self.0);
        let on_message = Closure::new(move |message: MessageEvent| {
            (inner.listener)(hear(&message.data().as_string().unwrap_or_default()));
        });
        let inner = Rc::clone(&self.0);
        let on_error = Closure::new(move |error: ErrorEvent| {
            error.prevent_default();
            let reason = js_sys::Reflect::get(&error, &"message".into()).ok().and_then(|text| text.as_string());
            let reason = reason.filter(|text| !text.is_empty());
            (inner.listener)(Signal::Died(reason.map_or_else(|| NOT_LOADED.to_owned(), |reason| explain(&reason))));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Running { worker, _on_message: on_message, _on_error: on_error })
    }
}

/// The signal in a worker's message. Page and worker are built together; a browser may still hold one of them from before.
fn hear(json: &str) -> Signal {
    let other_version = || Signal::Died("Page and engine are of different versions: reload the page.".to_owned());
    match serde_json::from_str(json) {
        Ok(Event::Ready { version }) if version != VERSION => other_version(),
        Ok(event) => Signal::Event(Box::new(event)),
        Err(_) => other_version(),
    }
}

const NOT_LOADED: &str = "Its program could not be loaded: check the connection.";

/// A program that fails by a mistake says so itself, as an event; one that gets no more memory cannot.
fn explain(reason: &str) -> String {
    let reason = reason.trim_start_matches("Uncaught ");
    format!(
        "Most likely the model needs more memory than the browser gives: choose a smaller one, or set a smaller context \
         ({reason})."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_another_version_is_not_listened_to() {
        let ready = |version| serde_json::to_string(&Event::Ready { version }).expect("plain data has a JSON form");
        assert!(matches!(hear(&ready(VERSION)), Signal::Event(event) if *event == Event::READY));
        // Version 0 had none to tell.
        for json in [&ready(VERSION + 1), "\"Ready\"", "{\"Surprise\":1}", ""] {
            assert!(matches!(hear(json), Signal::Died(why) if why.contains("reload the page")), "{json}");
        }
    }
}
