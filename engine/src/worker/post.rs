//! Events, on their way to the page.

use crate::error::{Error, ErrorKind};
use crate::protocol::{Event, LoadStage, Stage};
use crate::store::js;
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// The page shows progress about so often.
const PROGRESS_MS: f64 = 50.0;

/// Sends an event.
pub(super) fn post(event: &Event) {
    let json = serde_json::to_string(event).expect("events are plain data");
    js::scope().post_message(&JsValue::from_str(&json)).expect("text can be sent");
}

/// Sends an error, as the answer to a request.
pub(super) fn failed(during: Stage, error: &Error) {
    post(&Event::Failed { during, kind: error.kind(), message: error.to_string() });
}

/// Sends a load's progress: the beginning, the end, every change of stage, and now and then in between.
pub(super) fn progress() -> Rc<dyn Fn(LoadStage, u64, u64)> {
    let last = Cell::new((None, f64::NEG_INFINITY));
    Rc::new(move |stage, loaded_bytes, total_bytes| {
        let (last_stage, last_ms) = last.get();
        let now_ms = js::now_ms();
        if last_stage == Some(stage) && now_ms - last_ms < PROGRESS_MS && loaded_bytes < total_bytes {
            return;
        }
        last.set((Some(stage), now_ms));
        post(&Event::Progress { stage, loaded_bytes, total_bytes });
    })
}

/// Makes a panic the answer to the request in progress. The program ends there; the page starts a new one.
pub(super) fn report_panics(running: impl Fn() -> Stage + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        // "panicked at FILE:LINE:COLUMN:", what happened, and maybe the browser's own list of calls.
        let panic = panic.to_string();
        let place = panic.lines().take(2).collect::<Vec<_>>().join(" ");
        let message = format!("It made a mistake that is worth a report: {place}.");
        post(&Event::Failed { during: running(), kind: ErrorKind::Crashed, message });
    }));
}
