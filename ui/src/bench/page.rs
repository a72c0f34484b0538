//! The page on screen: what to measure, how far it is, and the table.

use super::form::Form;
use super::report::{COLUMNS, Row, cells, cost, markdown};
use super::run::{Run, Step};
use super::wish::{NAMES, Wish};
use crate::browser;
use crate::catalogue;
use crate::engine::{Engine, Signal as Heard};
use crate::hub;
use crate::local_storage::{self, keys};
use crate::percent;
use crate::state::load::explain;
use crate::state::settings::Settings;
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
    run: RwSignal<Option<Run>>,
    /// Why what was asked for cannot be measured at all.
    problem: RwSignal<Option<String>>,
    /// The builds of the engine that can run here.
    pub(super) variants: RwSignal<Vec<String>>,
    engine: StoredValue<Option<Engine>, LocalStorage>,
}

impl Page {
    /// The page for the address; one that asks for something begins at once.
    fn start() -> Self {
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
        let best = variants.last().ok_or("Which engines there are is not known yet: try again in a moment.")?;
        let variant = match &wish.variant {
            None => best.clone(),
            Some(wanted) if variants.contains(wanted) => wanted.clone(),
            Some(wanted) => {
                return Err(format!(
                    "There is no variant “{wanted}” that this browser can run here; there is {}.",
                    variants.join(", ")
                ));
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
                    run.fail(format!("The engine has stopped. {reason}"));
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
            Some(Step::Stopped) => publish_problem("It was stopped."),
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

    fn json(self) -> Option<String> {
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

/// The page.
#[component]
pub fn Bench() -> impl IntoView {
    let page = Page::start();
    let is_running = Memo::new(move |_| page.run.with(|run| run.as_ref().is_some_and(|run| !run.is_over())));
    browser::document().set_title("Speed – Minnow");
    view! {
        <main class="bench">
            <header class="bench__head">
                <h1>"How fast is this device?"</h1>
                <a class="button" href="#/">
                    "Back to the chat"
                </a>
            </header>
            <Form page is_running />
            {move || page.problem.get().map(|text| view! { <p class="bench__trouble" role="alert">{text}</p> })}
            <Outcome page />
        </main>
    }
}

/// How far it is, and what came of it.
#[component]
fn Outcome(page: Page) -> impl IntoView {
    let read = move |read: fn(&Run) -> String| {
        Memo::new(move |_| page.run.with(|run| run.as_ref().map(read).unwrap_or_default()))
    };
    let status = read(describe);
    let fraction = read(|run| fraction(run).map(|fraction| fraction.to_string()).unwrap_or_default());
    let fraction = move || Some(fraction.get()).filter(|fraction| !fraction.is_empty());
    let is_running = Memo::new(move |_| page.run.with(|run| run.as_ref().is_some_and(|run| !run.is_over())));
    let failure = Memo::new(move |_| {
        page.run.with(|run| match run.as_ref().map(|run| &run.step) {
            Some(Step::Failed(reason)) => Some(reason.clone()),
            Some(_) | None => None,
        })
    });
    let warnings = Memo::new(move |_| page.run.with(|run| run.as_ref().map(Run::warnings).unwrap_or_default()));
    let costs = Memo::new(move |_| page.run.with(|run| run.as_ref().map(costs).unwrap_or_default()));
    let waits = Memo::new(move |_| page.run.with(|run| run.as_ref().and_then(Run::waits)));
    let profiles = Memo::new(move |_| page.run.with(|run| run.as_ref().map(profiles).unwrap_or_default()));
    let profile = |text: String| view! { <pre class="bench__profile">{text}</pre> };
    let note = |text: String| view! { <p class="bench__status">{text}</p> };
    let warning = |text: String| view! { <p class="bench__warning" role="alert">{text}</p> };
    let is_done = Memo::new(move |_| page.run.with(|run| run.as_ref().is_some_and(|run| run.step == Step::Done)));
    view! {
        <section class="bench__outcome" aria-label="Result">
            <p class="bench__status" role="status">{status}</p>
            <Show when=move || is_running.get()>
                <progress class="bench__bar" aria-label="Progress" max="1" value=fraction></progress>
            </Show>
            {move || failure.get().map(|text| view! { <p class="bench__trouble" role="alert">{text}</p> })}
            {move || warnings.get().into_iter().map(warning).collect_view()}
            <Table page />
            {move || waits.get().map(note)}
            {move || costs.get().into_iter().map(note).collect_view()}
            {move || profiles.get().into_iter().map(profile).collect_view()}
            <Show when=move || is_done.get()>
                <div class="bench__actions">
                    <CopyText words="Copy as Markdown" text=move || page.markdown() />
                    <CopyText words="Copy as JSON" text=move || page.json().unwrap_or_default() />
                </div>
            </Show>
        </section>
    }
}

impl Page {
    fn markdown(self) -> String {
        let table =
            self.run.with_untracked(|run| run.as_ref().and_then(|run| Some(markdown(run.info.as_ref()?, &run.rows))));
        table.unwrap_or_default()
    }
}

#[component]
fn Table(page: Page) -> impl IntoView {
    let lines = Memo::new(move |_| page.run.with(|run| run.as_ref().map(lines).unwrap_or_default()));
    let body = move || {
        let line = |line: [String; COLUMNS.len()]| view! { <tr>{line.map(|cell| view! { <td>{cell}</td> }).collect_view()}</tr> };
        lines.get().into_iter().map(line).collect_view()
    };
    view! {
        <Show when=move || lines.with(|lines| !lines.is_empty())>
            <div class="bench__table" tabindex="0" role="group" aria-label="Table">
                <table>
                    <thead>
                        <tr>{COLUMNS.map(|name| view! { <th>{name}</th> }).collect_view()}</tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        </Show>
    }
}

fn lines(run: &Run) -> Vec<[String; COLUMNS.len()]> {
    let info = run.info.as_ref();
    run.rows.iter().filter_map(|row| Some(cells(info?, row))).collect()
}

/// What a token cost the GPU, by test.
fn costs(run: &Run) -> Vec<String> {
    let line = |row: &Row| Some(format!("A token of {}: {}.", row.test, cost(row.gpu_cost.as_ref()?)));
    run.rows.iter().filter_map(line).collect()
}

/// What takes how long, by test.
fn profiles(run: &Run) -> Vec<String> {
    let profile = |row: &Row| Some(format!("{}, its last batch: {}", row.test, row.profile.as_ref()?));
    run.rows.iter().filter_map(profile).collect()
}

/// A button that copies, and says so.
#[component]
fn CopyText(words: &'static str, text: impl Fn() -> String + Send + Sync + Copy + 'static) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        spawn_local(async move {
            let done = browser::copy(&text()).await;
            copied.try_set(done);
        });
    };
    view! {
        <button class="button" on:click=copy>
            {move || if copied.get() { "Copied" } else { words }}
        </button>
    }
}

/// What happens now, in a line.
fn describe(run: &Run) -> String {
    let (n_tests, number) = run.counts();
    match &run.step {
        Step::Starting => "Starting the engine…".to_owned(),
        Step::Loading => match run.load.started_over {
            Some(why) => explain(why).to_owned(),
            None => format!("Loading {}…", run.wish.model),
        },
        Step::Asking => "Waiting for a first token…".to_owned(),
        Step::Measuring { .. } => format!("Test {number} of {n_tests}. Leave this tab in front."),
        Step::Done => String::new(),
        Step::Stopped => "Stopped.".to_owned(),
        Step::Failed(_) => "It could not be measured.".to_owned(),
    }
}

/// How much of the load or of the test is done, if it is known.
fn fraction(run: &Run) -> Option<f64> {
    match run.step {
        Step::Loading => run.load.fraction(),
        Step::Measuring { done_tokens, total_tokens } if total_tokens > 0 => {
            Some(done_tokens as f64 / total_tokens as f64)
        }
        Step::Measuring { .. } | Step::Starting | Step::Asking | Step::Done | Step::Stopped | Step::Failed(_) => None,
    }
}
