//! What the person asks of models: load, cancel, delete.

use super::Page;
use crate::state::{State, WorkerStatus};
use leptos::prelude::*;
use protocol::{Request, Source};
use web_sys::File;

impl Page {
    pub fn load(self, source: Source) {
        self.dialog.set(None);
        self.forget_offer();
        let dead = self.state.with_untracked(|state| matches!(state.worker, WorkerStatus::Dead(_)));
        self.act(|state| state.load(source));
        if dead {
            self.restart_engine();
        }
    }

    pub fn load_file(self, file: File) {
        let name = file.name();
        self.engine().hold(file);
        self.load(Source::Local { name });
    }

    pub fn retry_load(self) {
        let failed = self.state.with_untracked(|state| state.load_failure.clone());
        if let Some(failure) = failed {
            self.load(failure.options.source);
        }
    }

    /// Loads the model that answers once more, with the settings of now.
    pub fn reload_model(self) {
        let source = self.state.with_untracked(|state| state.model.as_ref().map(|model| model.options.source.clone()));
        if let Some(source) = source {
            self.load(source);
        }
    }

    pub fn dismiss_news(self) {
        self.state.update(State::dismiss_news);
    }

    pub fn cancel_load(self) {
        self.act(State::cancel_load);
    }

    pub fn delete_model(self, id: String) {
        self.act(|_| vec![Request::Delete { id }]);
    }
}
