//! What the person does with models, and what there is to know about them.

use super::load::{self, Load};
use super::settings::Settings;
use super::{Loaded, State, WorkerStatus};
use crate::catalogue::{self, ENTRIES};
use crate::text;
use protocol::{BackendWish, ErrorKind, Kept, LoadOptions, Request, Source, StoredModel};

/// The models on this device, and the room for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredModels {
    pub models: Vec<StoredModel>,
    pub used_bytes: u64,
    pub quota_bytes: u64,
}

impl State {
    /// Loads a model; one at a time. A reply that is being written is stopped first, and kept.
    pub fn load(&mut self, source: Source) -> Vec<Request> {
        if self.load.is_some() {
            return Vec::new();
        }
        let Settings { context_tokens, cache, keep, backend, .. } = self.settings;
        let hub = self.hub.clone();
        let options = LoadOptions { source, hub, context_tokens, keep, backend, cache, threads: 0 };
        // What waits for a model waits for this one.
        let stop = if self.waiting().is_some() { Vec::new() } else { self.stop() };
        self.resume = None;
        self.load_failure = None;
        self.last_load = Some(options.clone());
        self.load = Some(Load::new(options.clone()));
        match self.worker {
            WorkerStatus::Ready => stop.into_iter().chain([Request::Load(options)]).collect(),
            // It is asked for when the worker is ready.
            WorkerStatus::Starting | WorkerStatus::Dead(_) => Vec::new(),
        }
    }

    /// Whether the model that is wanted may come as soon as the network is back.
    pub fn needs_the_network(&self) -> bool {
        let failure = self.load_failure.as_ref().map(|failure| failure.kind);
        failure == Some(ErrorKind::Network) && self.model.is_none() && self.worker == WorkerStatus::Ready
    }

    pub fn cancel_load(&mut self) -> Vec<Request> {
        match &mut self.load {
            Some(load) => {
                load.cancelling = true;
                vec![Request::CancelLoad]
            }
            None => Vec::new(),
        }
    }

    /// What the person should know about the model that answers, if anything.
    pub fn notes(&self) -> Option<String> {
        let model = self.model.as_ref().filter(|model| !model.notes_read)?;
        let Loaded { info, started_over, .. } = model;
        let started_over = started_over.map(|why| load::explain(why).to_owned());
        let kept = match &info.kept {
            Kept::No(reason) => Some(text::model::not_kept(reason)),
            Kept::Yes | Kept::NotAsked => None,
        };
        let template = info.fallback_template.as_ref().map(|name| text::model::no_template(name));
        let asked_for_gpu = model.options.backend == BackendWish::Gpu;
        let is_news = !model.has_moved && (info.is_second_best || asked_for_gpu && info.backend == "cpu");
        let place = is_news.then(|| load::place(info).trim_end().to_owned());
        let notes: Vec<String> = started_over.into_iter().chain(kept).chain(template).chain(place).collect();
        (!notes.is_empty()).then(|| notes.join(" "))
    }

    /// The person has read what there was to say about the model.
    pub fn dismiss_news(&mut self) {
        if self.load_failure.take().is_some() {
            self.fail_waiting(text::message::NOT_LOADED);
        }
        if let Some(model) = &mut self.model {
            model.notes_read = true;
        }
    }

    /// The device's copy of a model, whole or in part.
    pub fn stored(&self, source: &Source) -> Option<&StoredModel> {
        self.stored_models.as_ref()?.models.iter().find(|model| model.source == *source)
    }

    /// What a source is called where its model has not told its own name yet.
    pub fn source_name(&self, source: &Source) -> String {
        catalogue::name(source, &self.base)
    }

    /// What the first button loads: the model that answered last time, else the first of the catalogue.
    pub fn first_offer(&self) -> Source {
        self.resume.clone().unwrap_or_else(|| ENTRIES[0].source(&self.base))
    }
}

/// Whether all of a stored file is here.
pub fn is_whole(model: &StoredModel) -> bool {
    model.total_bytes > 0 && model.stored_bytes >= model.total_bytes
}
