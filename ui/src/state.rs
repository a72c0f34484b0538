//! Everything the page shows, as plain data: [`State::apply`] is the only way the engine changes it.
//!
//! Methods return the requests that follow from them. Time and chance come in from outside, as a [`ActionContext`], so all
//! of it is tested without a browser.

mod action;
pub mod chat;
mod conversations;
pub mod number_settings;
pub mod import_export;
pub mod load;
mod messages;
mod models;
pub mod reply;
pub mod settings;
#[cfg(test)]
mod tests;

use crate::catalogue;
use crate::text;
pub use action::ActionContext;
use chat::{Chat, Id, Message, Outcome, Summary};
use load::Load;
pub use models::{StoredModels, is_whole};
use protocol::{ErrorKind, Event, LoadOptions, ModelInfo, Request, Source, Stage, StartOver};
pub use reply::{Phase, Reply, Shown};
use settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// Everything the page shows.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub worker: WorkerStatus,
    /// The model that answers.
    pub model: Option<Loaded>,
    pub load: Option<Load>,
    /// Why the last load failed.
    pub load_failure: Option<LoadFailure>,
    /// The models on this device; none until the worker has told.
    pub stored_models: Option<StoredModels>,
    /// Why the last look at the device's models failed.
    pub stored_models_failure: Option<String>,
    /// All conversations, the one changed last first.
    pub summaries: Vec<Summary>,
    /// The conversations that are in memory.
    pub chats: BTreeMap<Id, Chat>,
    /// The conversation on screen; none is a new one.
    pub current: Option<Id>,
    /// The reply in progress, in whichever conversation.
    pub reply: Option<Reply>,
    /// The conversation deleted last, until the offer to bring it back is gone.
    pub deleted: Option<Chat>,
    pub settings: Settings,
    /// What the person typed and did not send yet; see [`State::draft_key`].
    pub drafts: BTreeMap<String, String>,
    /// Hugging Face's address, or a mirror's.
    pub hub: String,
    /// The page's folder.
    pub base: String,
    /// The model that answered last time: loaded again as soon as the worker finds it on this device.
    pub resume: Option<Source>,
    /// Conversations that changed since they were last saved.
    changed: BTreeSet<Id>,
    /// The last load asked for, to be repeated when the engine has to start again.
    last_load: Option<LoadOptions>,
}

/// How the worker is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WorkerStatus {
    #[default]
    Starting,
    Ready,
    /// It is gone, for this reason.
    Dead(String),
}

/// The model that answers, and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub info: ModelInfo,
    pub options: LoadOptions,
    /// Why its load began again, if it did.
    pub started_over: Option<StartOver>,
    /// It has moved since, and the page has said why.
    pub has_moved: bool,
    /// The person has read what there was to say about it.
    pub notes_read: bool,
}

/// A load that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadFailure {
    pub options: LoadOptions,
    pub kind: ErrorKind,
    pub message: String,
}

/// What the engine says.
impl State {
    /// The state at the start, from what was kept.
    pub fn new(settings: Settings, drafts: BTreeMap<String, String>, resume: Option<Source>) -> Self {
        Self { settings, drafts, resume, ..Self::default() }
    }

    /// Takes in an event; returns what to ask next.
    pub fn apply(&mut self, event: Event, now_ms: u64) -> Vec<Request> {
        match event {
            Event::Ready { .. } => return self.ready(),
            Event::Stored { models, used_bytes, quota_bytes } => {
                self.stored_models = Some(StoredModels { models, used_bytes, quota_bytes });
                self.stored_models_failure = None;
                return self.load_again();
            }
            Event::Progress { stage, loaded_bytes, total_bytes } => {
                if let Some(load) = &mut self.load {
                    load.progress(stage, loaded_bytes, total_bytes, now_ms);
                }
            }
            Event::StartedOver(why) => {
                if let Some(load) = &mut self.load {
                    load.started_over = Some(why);
                }
            }
            Event::Loaded(info) => return self.loaded(info),
            Event::Moved(info) => {
                if let Some(model) = &mut self.model {
                    model.has_moved = true;
                    model.info = ModelInfo { name: model.info.name.clone(), ..info };
                }
            }
            Event::Unloaded => self.model = None,
            Event::LoadCancelled => {
                self.load = None;
                self.fail_waiting(text::message::NOT_LOADED);
                return vec![Request::List];
            }
            Event::Prompt { done_tokens, total_tokens } => self.reading(done_tokens, total_tokens),
            Event::Text { text, thought } => self.text(&text, thought, now_ms),
            Event::Dropped { messages } => {
                if let Some(origin) = self.reply_mut().and_then(|message| message.origin.as_mut()) {
                    origin.n_dropped = messages;
                }
            }
            Event::Done(stats) => self.finish_reply(Outcome::Done(stats), now_ms),
            // The page that measures has an engine of its own.
            Event::Measuring { .. } | Event::Measured { .. } => {}
            Event::Failed { kind: ErrorKind::Crashed, message, .. } => self.worker_died(message, now_ms),
            Event::Failed { during, kind, message } => return self.failed(during, kind, message, now_ms),
        }
        Vec::new()
    }

    /// The worker is gone, for a reason in whole sentences. What it had written is kept. A worker that could still say
    /// why is heard first; that it then is gone is no news.
    pub fn worker_died(&mut self, reason: String, now_ms: u64) {
        if matches!(self.worker, WorkerStatus::Dead(_)) {
            return;
        }
        self.load = None;
        self.model = None;
        self.finish_reply(Outcome::Failed(text::model::stopped(&reason)), now_ms);
        self.worker = WorkerStatus::Dead(reason);
    }

    /// A new worker is on its way; the model that answered before is loaded into it.
    pub fn worker_restarts(&mut self) {
        self.worker = WorkerStatus::Starting;
        self.load_failure = None;
        self.load = self.last_load.clone().map(Load::new);
    }

    fn ready(&mut self) -> Vec<Request> {
        self.worker = WorkerStatus::Ready;
        let load = self.load.as_ref().map(|load| Request::Load(load.options.clone()));
        [Some(Request::List), load].into_iter().flatten().collect()
    }

    fn load_again(&mut self) -> Vec<Request> {
        let Some(source) = self.resume.take() else { return Vec::new() };
        match self.stored(&source) {
            Some(model) if is_whole(model) => self.load(source),
            Some(_) | None => Vec::new(),
        }
    }

    fn loaded(&mut self, mut info: ModelInfo) -> Vec<Request> {
        let Some(Load { options, started_over, .. }) = self.load.take() else { return Vec::new() };
        self.load_failure = None;
        // Files give themselves odd names.
        info.name = match catalogue::find(&options.source, &self.base) {
            Some(entry) => entry.name.to_owned(),
            None => catalogue::clean(&info.name),
        };
        self.model = Some(Loaded { info, options, started_over, has_moved: false, notes_read: false });
        let generate = self.waiting().and_then(|(chat, message)| self.generate(chat, message));
        [Some(Request::List), generate].into_iter().flatten().collect()
    }

    fn reading(&mut self, done_tokens: u32, total_tokens: u32) {
        if let Some(Reply { phase: phase @ (Phase::Waiting | Phase::Reading { .. }), .. }) = &mut self.reply {
            *phase = Phase::Reading { done_tokens, total_tokens };
        }
    }

    fn text(&mut self, text: &str, is_reasoning: bool, now_ms: u64) {
        if let Some(reply) = &mut self.reply {
            reply.phase = match reply.phase {
                Phase::Stopping => Phase::Stopping,
                Phase::Waiting | Phase::Reading { .. } => {
                    Phase::Writing { n_pieces: 1, first_ms: now_ms, last_ms: now_ms }
                }
                Phase::Writing { n_pieces, first_ms, .. } => {
                    Phase::Writing { n_pieces: n_pieces + 1, first_ms, last_ms: now_ms }
                }
            };
        }
        if let Some(message) = self.reply_mut() {
            match &mut message.origin {
                Some(origin) if is_reasoning => origin.reasoning.push_str(text),
                Some(_) | None => message.content.push_str(text),
            }
        }
    }

    fn failed(&mut self, during: Stage, kind: ErrorKind, message: String, now_ms: u64) -> Vec<Request> {
        match during {
            Stage::Store => self.stored_models_failure = Some(message),
            Stage::Load => {
                // Where no other model answers, the question goes on waiting for one.
                if self.model.is_some() {
                    self.fail_waiting(&text::model::not_loaded(&message));
                }
                if let Some(Load { options, started_over, .. }) = self.load.take() {
                    let why = started_over.map(|why| format!("{} ", load::explain(why))).unwrap_or_default();
                    self.load_failure = Some(LoadFailure { options, kind, message: format!("{why}{message}") });
                }
                return vec![Request::List];
            }
            Stage::Generate => self.finish_reply(Outcome::Failed(message), now_ms),
            // The page that measures has an engine of its own.
            Stage::Bench => {}
        }
        Vec::new()
    }

    /// The conversation and the message of a reply that waits for a model.
    fn waiting(&self) -> Option<(Id, Id)> {
        self.reply.as_ref().filter(|reply| reply.phase == Phase::Waiting).map(|reply| (reply.chat, reply.message))
    }

    /// Ends a reply that waits for a model which will not come.
    fn fail_waiting(&mut self, message: &str) {
        if self.waiting().is_some() {
            self.finish_reply(Outcome::Failed(message.to_owned()), 0);
        }
    }

    /// The message being written, unless its conversation is gone for good. Marks the conversation as changed.
    fn reply_mut(&mut self) -> Option<&mut Message> {
        let reply = self.reply.as_ref()?;
        match self.chats.get_mut(&reply.chat) {
            Some(chat) => {
                self.changed.insert(reply.chat);
                chat.message_mut(reply.message)
            }
            // What was deleted may come back, and then with what was written.
            None => self.deleted.as_mut().filter(|chat| chat.id == reply.chat)?.message_mut(reply.message),
        }
    }

    fn finish_reply(&mut self, outcome: Outcome, now_ms: u64) {
        if let Some(origin) = self.reply_mut().and_then(|message| message.origin.as_mut()) {
            origin.outcome = outcome;
        }
        if let Some(reply) = self.reply.take() {
            self.touch(reply.chat, now_ms);
        }
    }
}

/// Hugging Face; the person may have set a mirror.
pub const DEFAULT_HUB: &str = "https://huggingface.co";
