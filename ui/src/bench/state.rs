//! What the page holds: what the form says, the run, and the engine that it follows.

use super::report::markdown;
use super::run::{Run, Step};
use super::wish::{NAMES, Wish};
use crate::browser;
use crate::catalogue;
use crate::engine::{Engine, Signal as Heard};
use crate::hub;
use crate::local_storage::{self, keys};
use crate::percent;
use crate::state::settings::Settings;
use crate::text;
use crate::variant;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::collections::BTreeMap;
use wasm_bindgen::JsValue;

/// Everything the page holds.
#[derive(Clone, Copy)]
pub struct Page {
    /// What is in the form, by the names that the address uses.
    fields: RwSignal<BTreeMap<&'static str, String>>,
    pub(super) run: RwSignal<Option<Run>>,
    /// Why what was asked for cannot be measured at all.
    pub(super) problem: RwSignal<Option<String>>,
    /// The builds of the engine that can run here.
    pub(super) variants: RwSignal<Vec<String>>,
    engine: StoredValue<Option<Engine>, LocalStorage>,
}

impl Page {
    /// The page for the address; one that asks for something begins at once.
    pub(super) fn start() -> Self {
        let page = Self {
            fields: RwSignal::new(fields(&Wish::default())),
            run: RwSignal::new(None),
            problem: RwSignal::new(None),
            variants: RwSignal::new(Vec::new()),
            engine: StoredValue::new_local(None),
        };
        page.engine.set_value(Some(Engine::new(move |signal| page.receive(signal))));
        let query = super::query().unwrap_or_default();
        spawn_local(async move {
            page.variants.set(variant::runnable().await);
            if query.is_empty() {
                return;
            }
            page.fields.set(typed(&query));
            page.begin(Wish::parse(&query));
        });
        page
    }

    /// Begins what the form says, and writes it into the address, so that it can be asked for again.
    pub(super) fn begin_form(self) {
        let pairs = self.fields.with_untracked(|fields| {
            fields.iter().map(|(name, value)| format!("{name}={}", percent::encode(value))).collect::<Vec<_>>()
        });
        let wish = Wish::parse(&pairs.join("&"));
        if let (Ok(wish), Ok(history)) = (&wish, browser::window().history()) {
            // An address that stays as it was costs only the convenience.
            let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&wish.address()));
        }
        self.begin(wish);
    }

    fn begin(self, wish: Result<Wish, String>) {
        self.run.set(None);
        self.problem.set(None);
        publish(None);
        match wish.and_then(|wish| self.prepare(wish)) {
            Ok(run) => {
                let variant = run.variant.clone();
                self.run.set(Some(run));
                if let Some(engine) = self.engine.get_value() {
                    engine.start_variant(&variant);
                }
            }
            Err(problem) => {
                publish_problem(&problem);
                self.problem.set(Some(problem));
            }
        }
    }

    fn prepare(self, wish: Wish) -> Result<Run, String> {
        let hub = hub::address();
        let base = browser::base();
        let source = wish.source(&base, &hub)?;
        let name = catalogue::find(&source, &base).map(|entry| entry.name.to_owned());
        let variants = self.variants.get_untracked();
        let best = variants.last().ok_or(text::bench::NOT_YET)?;
        let variant = match &wish.variant {
            None => best.clone(),
            Some(wanted) if variants.contains(wanted) => wanted.clone(),
            Some(wanted) => {
                return Err(text::bench::no_variant(wanted, &variants.join(", ")));
            }
        };
        let settings: Settings = local_storage::recall(keys::SETTINGS).unwrap_or_default();
        let options = wish.load_options(source, hub, settings.keep);
        Ok(Run::new(wish, options, name, variant))
    }

    fn receive(self, signal: Heard) {
        let now_ms = browser::window().performance().map_or(0.0, |performance| performance.now());
        let request = self.run.try_update(|run| {
            let run = run.as_mut()?;
            if browser::document().hidden() {
                run.note_hidden();
            }
            match signal {
                Heard::Event(event) => run.apply(*event, now_ms),
                Heard::Died(reason) => {
                    run.fail(text::model::stopped(&reason));
                    None
                }
            }
        });
        if let (Some(request), Some(engine)) = (request.flatten(), self.engine.get_value()) {
            engine.post(&request);
        }
        if self.run.with_untracked(|run| run.as_ref().is_some_and(Run::is_over)) {
            self.finish();
        }
    }

    /// Leaves the result where a script finds it, and gives the memory back.
    fn finish(self) {
        self.run.with_untracked(|run| match run.as_ref().map(|run| &run.step) {
            Some(Step::Failed(reason)) => publish_problem(reason),
            Some(Step::Stopped) => publish_problem(text::bench::WAS_STOPPED),
            Some(Step::Done) => publish(self.json().as_deref()),
            Some(Step::Starting | Step::Loading | Step::Asking | Step::Measuring { .. }) | None => {}
        });
        if let Some(engine) = self.engine.get_value() {
            // Not in the worker's own callback, which must outlive its call.
            spawn_local(async move { engine.end() });
        }
    }

    pub(super) fn stop(self) {
        self.run.update(|run| run.iter_mut().for_each(Run::stop));
        self.finish();
    }

    pub(super) fn field(self, name: &'static str) -> String {
        self.fields.with(|fields| fields.get(name).cloned().unwrap_or_default())
    }

    pub(super) fn set_field(self, name: &'static str, value: String) {
        self.fields.update(|fields| {
            fields.insert(name, value);
        });
    }

    pub(super) fn markdown(self) -> String {
        let table =
            self.run.with_untracked(|run| run.as_ref().and_then(|run| Some(markdown(run.info.as_ref()?, &run.rows))));
        table.unwrap_or_default()
    }

    pub(super) fn json(self) -> Option<String> {
        let user_agent = js_sys::Reflect::get(&browser::window().navigator(), &"userAgent".into()).ok()?.as_string();
        let report =
            self.run.with_untracked(|run| run.as_ref()?.report(user_agent.unwrap_or_default(), browser::now_ms()));
        report.map(|report| serde_json::to_string_pretty(&report).expect("plain data has a JSON form"))
    }
}

/// What an address says, also where it is wrong, so that it can be put right.
fn typed(query: &str) -> BTreeMap<&'static str, String> {
    let mut fields = fields(&Wish::default());
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let known = NAMES.into_iter().find(|known| *known == name);
        fields.extend(known.zip(percent::decode(value)));
    }
    fields
}

fn fields(wish: &Wish) -> BTreeMap<&'static str, String> {
    NAMES.map(|name| (name, wish.get(name))).into_iter().collect()
}

fn publish_problem(problem: &str) {
    publish(Some(&serde_json::json!({ "error": problem }).to_string()));
}

/// Sets `window.minnowBench`, for which scripts wait.
fn publish(json: Option<&str>) {
    let value = json.and_then(|json| js_sys::JSON::parse(json).ok()).unwrap_or(JsValue::UNDEFINED);
    // A window takes any property.
    let _ = js_sys::Reflect::set(&browser::window(), &"minnowBench".into(), &value);
}
