//! The page on screen: what to measure, how far it is, and the table.

use super::form::Form;
use super::report::{COLUMNS, Row, cells, cost};
use super::run::{Run, Step};
use super::state::Page;
use crate::browser;
use crate::state::load::explain;
use crate::text;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// The page.
#[component]
pub fn Bench() -> impl IntoView {
    let page = Page::start();
    let is_running = Memo::new(move |_| page.run.with(|run| run.as_ref().is_some_and(|run| !run.is_over())));
    browser::document().set_title(text::bench::TITLE);
    view! {
        <main class="bench">
            <header class="bench__head">
                <h1>{text::bench::HEADLINE}</h1>
                <a class="button" href="#/">
                    {text::bench::BACK_TO_THE_CHAT}
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
        <section class="bench__outcome" aria-label=text::bench::RESULT>
            <p class="bench__status" role="status">{status}</p>
            <Show when=move || is_running.get()>
                <progress class="bench__bar" aria-label=text::bench::PROGRESS max="1" value=fraction></progress>
            </Show>
            {move || failure.get().map(|text| view! { <p class="bench__trouble" role="alert">{text}</p> })}
            {move || warnings.get().into_iter().map(warning).collect_view()}
            <Table page />
            {move || waits.get().map(note)}
            {move || costs.get().into_iter().map(note).collect_view()}
            {move || profiles.get().into_iter().map(profile).collect_view()}
            <Show when=move || is_done.get()>
                <div class="bench__actions">
                    <CopyText words=text::bench::COPY_AS_MARKDOWN text=move || page.markdown() />
                    <CopyText words=text::bench::COPY_AS_JSON text=move || page.json().unwrap_or_default() />
                </div>
            </Show>
        </section>
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
            <div class="bench__table" tabindex="0" role="group" aria-label=text::bench::TABLE>
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
            {move || if copied.get() { text::bench::COPIED } else { words }}
        </button>
    }
}

/// What happens now, in a line.
fn describe(run: &Run) -> String {
    let (n_tests, number) = run.counts();
    match &run.step {
        Step::Starting => text::bench::STARTING.to_owned(),
        Step::Loading => match run.load.started_over {
            Some(why) => explain(why).to_owned(),
            None => text::bench::loading(&run.wish.model),
        },
        Step::Asking => text::bench::FIRST_TOKEN.to_owned(),
        Step::Measuring { .. } => text::bench::test_of(number, n_tests),
        Step::Done => String::new(),
        Step::Stopped => text::bench::STOPPED.to_owned(),
        Step::Failed(_) => text::bench::FAILED.to_owned(),
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
