//! What the worker says reaches the state, and what follows from it reaches the worker.

use super::Page;
use crate::browser;
use crate::engine::{Engine, Signal};
use crate::state::{State, WorkerStatus};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{Event, Request};

impl Page {
    /// Text comes in small pieces, often several a frame: they are taken in together when the browser draws. In the
    /// background it does not draw, so there they are taken in at once.
    pub(super) fn receive(self, signal: Signal) {
        let event = match signal {
            Signal::Died(reason) => {
                self.take_in();
                self.state.update(|state| state.worker_died(reason, browser::now_ms()));
                return self.bury_engine();
            }
            Signal::Event(event) => *event,
        };
        let can_wait = matches!(event, Event::Text { .. } | Event::Prompt { .. } | Event::Progress { .. });
        let was_empty = self.parts.with_value(|parts| parts.inbox.is_empty());
        self.parts.update_value(|parts| parts.inbox.push(event));
        if !can_wait || browser::document().hidden() {
            self.take_in();
        } else if was_empty {
            request_animation_frame(move || self.take_in());
        }
    }

    pub(super) fn take_in(self) {
        let mut events = Vec::new();
        self.parts.update_value(|parts| events = std::mem::take(&mut parts.inbox));
        if events.is_empty() {
            return;
        }
        let moved_to = |event: &Event| if let Event::Moved(info) = event { Some(info.clone()) } else { None };
        let moved = events.iter().rev().find_map(moved_to).filter(|info| info.backend == "cpu");
        let ended = events.iter().any(|event| matches!(event, Event::Done(_) | Event::Failed { .. }));
        let now_ms = browser::now_ms();
        self.act(|state| events.into_iter().flat_map(|event| state.apply(event, now_ms)).collect());
        if let Some(info) = moved {
            self.left_the_gpu(&info);
        }
        if ended {
            self.save();
            self.bury_engine();
        }
    }

    /// Gives the memory of a worker back that is gone. Not in its own callback, which must outlive its call.
    pub(super) fn bury_engine(self) {
        if self.state.with_untracked(|state| matches!(state.worker, WorkerStatus::Dead(_))) {
            let engine = self.engine();
            spawn_local(async move { engine.end() });
        }
    }

    /// Changes the state, and sends what follows from it.
    pub(super) fn act(self, change: impl FnOnce(&mut State) -> Vec<Request>) {
        let requests = self.state.try_update(change).unwrap_or_default();
        let engine = self.engine();
        for request in &requests {
            engine.post(request);
        }
    }

    pub(super) fn engine(self) -> Engine {
        self.parts.with_value(|parts| parts.engine.clone())
    }

    pub fn restart_engine(self) {
        self.state.update(State::worker_restarts);
        let engine = self.engine();
        spawn_local(async move { engine.start().await });
    }
}
