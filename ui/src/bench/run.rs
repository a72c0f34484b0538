//! A measurement from its start to its report, as plain data: events come in, requests go out.

use super::report::{Report, Row, waits};
use super::wish::{Wish, backend_name};
use crate::state::load::Load;
use protocol::{
    BackendWish, BenchOptions, ErrorKind, Event, GenerateOptions, LoadOptions, LoadStage, Message, ModelInfo, Request,
    Role, Sampling, Threads,
};
use std::collections::VecDeque;

/// A measurement.
#[derive(Debug, Clone)]
pub struct Run {
    pub wish: Wish,
    name: Option<String>,
    /// The build of the engine that runs.
    pub variant: String,
    pub step: Step,
    pub load: Load,
    pub info: Option<ModelInfo>,
    pub rows: Vec<Row>,
    /// The first one runs.
    tests: VecDeque<BenchOptions>,
    /// When the request was sent whose time is taken.
    sent_ms: f64,
    load_ms: f64,
    downloaded: bool,
    first_token_ms: Option<f64>,
    last_byte_ms: Option<f64>,
    last_byte_to_token_ms: Option<f64>,
    heap_bytes: u64,
    was_hidden: bool,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The engine is on its way.
    Starting,
    Loading,
    /// The model answers a first question.
    Asking,
    Measuring {
        done_tokens: u64,
        total_tokens: u64,
    },
    Done,
    /// The person ended it.
    Stopped,
    Failed(String),
}

const QUESTION: &str = "What is the capital of France?";

impl Run {
    /// `name` is what the model is called, if its file is not to say that itself.
    pub fn new(wish: Wish, options: LoadOptions, name: Option<String>, variant: String) -> Self {
        Self {
            tests: wish.tests().into(),
            wish,
            name,
            variant,
            step: Step::Starting,
            load: Load::new(options),
            info: None,
            rows: Vec::new(),
            sent_ms: 0.0,
            load_ms: 0.0,
            downloaded: false,
            first_token_ms: None,
            last_byte_ms: None,
            last_byte_to_token_ms: None,
            heap_bytes: 0,
            was_hidden: false,
        }
    }

    /// Takes note that nobody sees the page now.
    pub fn note_hidden(&mut self) {
        self.was_hidden = true;
    }

    pub fn is_over(&self) -> bool {
        match self.step {
            Step::Done | Step::Stopped | Step::Failed(_) => true,
            Step::Starting | Step::Loading | Step::Asking | Step::Measuring { .. } => false,
        }
    }

    /// How many tests there are, and the one that runs, counted from 1.
    pub fn counts(&self) -> (usize, usize) {
        (self.rows.len() + self.tests.len(), self.rows.len() + 1)
    }

    /// Takes in an event; returns what to ask next. `now_ms` is a fine clock, from any moment on.
    pub fn apply(&mut self, event: Event, now_ms: f64) -> Option<Request> {
        if self.is_over() {
            return None;
        }
        match event {
            Event::Ready { .. } => {
                self.step = Step::Loading;
                self.sent_ms = now_ms;
                Some(Request::Load(self.load.options.clone()))
            }
            Event::Progress { stage, loaded_bytes, total_bytes } => {
                self.downloaded |= stage == LoadStage::Download;
                if loaded_bytes == total_bytes {
                    self.last_byte_ms = Some(now_ms);
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a time of today")]
                self.load.progress(stage, loaded_bytes, total_bytes, now_ms as u64);
                None
            }
            Event::StartedOver(why) => {
                self.load.started_over = Some(why);
                None
            }
            Event::Loaded(mut info) => {
                self.load_ms = now_ms - self.sent_ms;
                info.name = self.name.clone().unwrap_or(info.name);
                self.info = Some(info);
                self.step = Step::Asking;
                self.sent_ms = now_ms;
                Some(question())
            }
            Event::Moved(info) => {
                self.info = self.info.take().map(|old| ModelInfo { name: old.name, ..info });
                None
            }
            Event::Text { .. } => {
                self.note_token(now_ms);
                None
            }
            Event::Done(_) => {
                self.note_token(now_ms);
                self.next()
            }
            Event::Measuring { done_tokens, total_tokens } => {
                self.step = Step::Measuring { done_tokens, total_tokens };
                None
            }
            Event::Measured { test, tokens_per_sec, heap_bytes, gpu_cost, profile } => {
                let options = self.tests.pop_front()?;
                let threads = self.info.as_ref().map_or(Threads::ONE, |info| info.threads);
                self.rows.push(Row::new(test, options, threads, tokens_per_sec, gpu_cost, profile));
                self.heap_bytes = heap_bytes;
                self.next()
            }
            // A model that cannot chat, or has no room for the question, can be measured all the same.
            Event::Failed { kind: ErrorKind::Template | ErrorKind::ContextFull, .. } if self.step == Step::Asking => {
                self.next()
            }
            Event::Failed { message, .. } => {
                self.fail(message);
                None
            }
            // Why comes with it.
            Event::Unloaded => None,
            Event::LoadCancelled | Event::Prompt { .. } | Event::Dropped { .. } | Event::Stored { .. } => None,
        }
    }

    /// A token of the reply is there, or, if it was no text, the reply is complete.
    fn note_token(&mut self, now_ms: f64) {
        self.first_token_ms.get_or_insert(now_ms - self.sent_ms);
        self.last_byte_to_token_ms = self.last_byte_to_token_ms.or(self.last_byte_ms.map(|last_ms| now_ms - last_ms));
    }

    /// How long a person waits, in words, once that is known.
    pub fn waits(&self) -> Option<String> {
        let is_known = matches!(self.step, Step::Measuring { .. } | Step::Done);
        is_known.then(|| waits(self.load_ms, self.first_token_ms, self.last_byte_to_token_ms))
    }

    fn next(&mut self) -> Option<Request> {
        let Some(test) = self.tests.front() else {
            self.step = Step::Done;
            return None;
        };
        self.step = Step::Measuring { done_tokens: 0, total_tokens: 0 };
        Some(Request::Bench(*test))
    }

    /// The engine is gone, or a request failed.
    pub fn fail(&mut self, reason: String) {
        if !self.is_over() {
            self.step = Step::Failed(reason);
        }
    }

    pub fn stop(&mut self) {
        if !self.is_over() {
            self.step = Step::Stopped;
        }
    }

    /// What does not run as it was asked for, and what else the numbers depend on.
    pub fn warnings(&self) -> Vec<String> {
        let Some(info) = &self.info else { return Vec::new() };
        let mut warnings = Vec::new();
        if self.was_hidden {
            warnings.push("The tab was not in front all the time, and browsers slow down what nobody sees.".to_owned());
        }
        let asked = backend_name(self.wish.backend);
        if self.wish.backend != BackendWish::Best && asked != info.backend {
            let (asked, ran) = (asked.to_uppercase(), info.backend.to_uppercase());
            warnings.push(format!("Asked for the {asked}, but it runs on the {ran} ({}).", info.tier));
        }
        if self.wish.cache != info.cache {
            let (asked, ran, keeps) = (self.wish.cache.name(), info.backend.to_uppercase(), info.cache.name());
            warnings.push(format!("Asked for a cache of {asked}, but the {ran} keeps {keeps}."));
        }
        if self.variant != info.variant {
            let (asked, ran) = (&self.variant, &info.variant);
            warnings.push(format!("The build {asked} gets no memory that can be shared, so {ran} runs."));
        }
        if self.wish.profile && info.backend != "cpu" {
            warnings.push(format!(
                "Asked for a profile, but only the CPU has one; it runs on the {}.",
                info.backend.to_uppercase()
            ));
        }
        let n_threads = info.threads.most();
        if self.wish.threads != 0 && self.wish.threads != n_threads {
            let threads = |n: u32| if n == 1 { "1 thread".to_owned() } else { format!("{n} threads") };
            warnings.push(format!("Asked for {}, but it runs on {}.", threads(self.wish.threads), threads(n_threads)));
        }
        warnings
    }

    /// What was measured, once it is complete.
    pub fn report(&self, user_agent: String, time_ms: u64) -> Option<Report> {
        let info = self.info.as_ref().filter(|_| self.step == Step::Done)?;
        let first = |kind: fn(&Row) -> bool| self.rows.iter().find(|row| kind(row)).map(|row| row.mean);
        Some(Report {
            pp: first(|row| row.n_prompt > 0),
            tg: first(|row| row.n_gen > 0),
            load_ms: self.load_ms,
            downloaded: self.downloaded,
            first_token_ms: self.first_token_ms,
            last_byte_to_token_ms: self.last_byte_to_token_ms,
            backend: info.backend.clone(),
            tier: info.tier.clone(),
            threads: info.threads.most(),
            cache: info.cache.name().to_owned(),
            variant: info.variant.clone(),
            heap_bytes: self.heap_bytes,
            model: info.name.clone(),
            architecture: info.architecture.clone(),
            weight_type: info.weight_type.clone(),
            size_bytes: info.size_bytes,
            n_params: info.n_params,
            context_tokens: info.context_tokens,
            tests: self.rows.clone(),
            warnings: self.warnings(),
            user_agent,
            time_ms,
        })
    }
}

/// A short question, of which only the first token of the answer is wanted.
fn question() -> Request {
    Request::Generate(GenerateOptions {
        messages: vec![Message { role: Role::User, content: QUESTION.to_owned() }],
        sampling: Sampling { temperature: 0.0, ..Sampling::default() },
        max_tokens: 1,
        thinking: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CacheType, Finish, Kept, ReplyStats, Source, Stage};

    fn info() -> ModelInfo {
        ModelInfo {
            name: "Tiny".to_owned(),
            architecture: "llama".to_owned(),
            weight_type: "Q4_1".to_owned(),
            n_params: 1_000_000,
            size_bytes: 1 << 20,
            context_tokens: 512,
            trained_context_tokens: 512,
            backend: "cpu".to_owned(),
            tier: "simd128".to_owned(),
            is_second_best: false,
            cache: CacheType::F16,
            threads: Threads::ONE,
            can_think: false,
            fallback_template: None,
            roomy_context_tokens: None,
            variant: "plain".to_owned(),
            load_secs: 1.0,
            kept: Kept::Yes,
        }
    }

    fn run(query: &str) -> Run {
        let wish = Wish::parse(query).expect("it is right");
        let options = wish.load_options(Source::Url("http://h/m.gguf".to_owned()), String::new(), true);
        Run::new(wish, options, None, "plain".to_owned())
    }

    fn done() -> Event {
        Event::Done(ReplyStats {
            finish: Finish::Length,
            n_prompt: 8,
            n_cached: 0,
            n_reply: 1,
            prompt_secs: 0.1,
            reply_secs: 0.0,
            context_used: 9,
        })
    }

    fn measured(test: &str, speed: f64) -> Event {
        let (tokens_per_sec, heap_bytes) = (vec![speed; 2], 64);
        Event::Measured { test: test.to_owned(), tokens_per_sec, heap_bytes, gpu_cost: None, profile: None }
    }

    #[test]
    fn a_run_measures_everything_in_turn() {
        let mut run = run("pp=32&tg=8&reps=2&threads=4&cache=q8_0&backend=gpu&profile=1");
        assert!(matches!(run.apply(Event::READY, 0.0), Some(Request::Load(_))));
        let progress = |loaded_bytes| Event::Progress { stage: LoadStage::Download, loaded_bytes, total_bytes: 9 };
        assert_eq!(run.apply(progress(8), 60.0), None);
        assert_eq!(run.apply(progress(9), 90.0), None);
        assert!(matches!(run.apply(Event::Loaded(info()), 100.0), Some(Request::Generate(_))));
        let text = Event::Text { text: "Paris".to_owned(), thought: false };
        assert_eq!(run.apply(text, 130.0), None);
        run.note_hidden();
        let options = BenchOptions { n_prompt: 0, n_gen: 0, depth: 0, reps: 2, profile: true };
        let test = |n_prompt, n_gen| Some(Request::Bench(BenchOptions { n_prompt, n_gen, ..options }));
        assert_eq!(run.apply(done(), 131.0), test(32, 0));
        assert_eq!(run.counts(), (2, 1));
        assert_eq!(run.apply(measured("pp32", 50.0), 200.0), test(0, 8));
        assert_eq!(run.report(String::new(), 0), None);
        assert_eq!(run.apply(measured("tg8", 20.0), 300.0), None);
        let report = run.report("me".to_owned(), 5).expect("it is complete");
        assert_eq!((report.pp, report.tg, report.load_ms), (Some(50.0), Some(20.0), 100.0));
        assert_eq!(report.last_byte_to_token_ms, Some(40.0));
        assert_eq!((report.first_token_ms, report.heap_bytes, report.threads), (Some(30.0), 64, 1));
        assert_eq!(
            report.warnings,
            [
                "The tab was not in front all the time, and browsers slow down what nobody sees.",
                "Asked for the GPU, but it runs on the CPU (simd128).",
                "Asked for a cache of q8_0, but the CPU keeps f16.",
                "Asked for 4 threads, but it runs on 1 thread."
            ]
        );
    }

    #[test]
    fn a_model_that_cannot_chat_is_measured() {
        let mut run = run("pp=32&tg=0");
        run.apply(Event::READY, 0.0);
        run.apply(Event::Loaded(info()), 100.0);
        let failed = |during| Event::Failed { during, kind: ErrorKind::Template, message: "No.".to_owned() };
        assert!(matches!(run.apply(failed(Stage::Generate), 110.0), Some(Request::Bench(_))));
        assert_eq!(run.apply(failed(Stage::Bench), 120.0), None);
        assert_eq!(run.step, Step::Failed("No.".to_owned()));
        assert!(run.is_over() && run.report(String::new(), 0).is_none());
    }
}
