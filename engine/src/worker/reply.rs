//! A reply, or a measurement, step by step.

use super::post::post;
use super::text::Joiner;
use crate::error::Result;
use crate::protocol::{BenchOptions, Event, Finish, GenerateOptions, ReplyStats};
use crate::session::{BenchStep, Session, Start, Step};
use crate::store::{Cancel, js};

/// The page shows how far a measurement is about so often: seldom, because drawing takes time from it.
const MEASURING_MS: f64 = 250.0;
/// Measurements can be repeated.
const BENCH_SEED: u64 = 1;

/// A reply in progress, as the page will want to know of it.
pub(super) struct Writer {
    start: Start,
    text: Joiner,
    n_reply: usize,
    start_ms: f64,
    prompt_end_ms: f64,
}

impl Writer {
    /// Begins a reply.
    pub(super) fn start(session: &mut Session, options: &GenerateOptions) -> Result<Self> {
        let seed = options.sampling.seed.unwrap_or_else(js::random_seed);
        let start_ms = js::now_ms();
        let start = session.start(options, seed, js::wall_clock())?;
        if start.n_dropped > 0 {
            post(&Event::Dropped { messages: count(start.n_dropped) });
        }
        Ok(Self { start, text: Joiner::default(), n_reply: 0, start_ms, prompt_end_ms: start_ms })
    }

    /// Writes the reply, and answers the request. After an error it can be called again, if the session can go on.
    pub(super) async fn write(&mut self, session: &mut Session, cancel: &Cancel) -> Result<()> {
        let finish = self.steps(session, cancel).await;
        self.text.flush(js::now_ms()).iter().for_each(post);
        let finish = finish?;
        let secs = |from_ms: f64, to_ms: f64| (to_ms - from_ms).max(0.0) / 1000.0;
        post(&Event::Done(ReplyStats {
            finish,
            n_prompt: count(self.start.n_prompt),
            n_cached: count(self.start.n_cached),
            n_reply: count(self.n_reply),
            prompt_secs: secs(self.start_ms, self.prompt_end_ms),
            reply_secs: secs(self.prompt_end_ms, js::now_ms()),
            context_used: count(session.n_used()),
        }));
        Ok(())
    }

    async fn steps(&mut self, session: &mut Session, cancel: &Cancel) -> Result<Finish> {
        loop {
            // The browser delivers messages only between tasks, so without this pause a wish to stop is never seen.
            js::yield_to_browser().await;
            if cancel.is_cancelled() {
                session.stop();
            }
            self.n_reply = session.n_reply();
            match session.step().await? {
                Step::Prompt { done, total } => {
                    // After a loss, prompt and reply are read again, which is no part of the prompt's time.
                    if self.n_reply == 0 {
                        self.prompt_end_ms = js::now_ms();
                    }
                    post(&Event::Prompt { done_tokens: count(done), total_tokens: count(total) });
                }
                Step::Text { text, thought } => self.text.push(&text, thought, js::now_ms()).iter().for_each(post),
                Step::Done(finish) => return Ok(finish),
            }
        }
    }
}

/// Answers a request that was stopped before there was anything to write with.
pub(super) fn stopped() {
    post(&Event::Done(ReplyStats {
        finish: Finish::Stopped,
        n_prompt: 0,
        n_cached: 0,
        n_reply: 0,
        prompt_secs: 0.0,
        reply_secs: 0.0,
        context_used: 0,
    }));
}

/// Measures, and answers the request.
pub(super) async fn bench(session: &mut Session, options: BenchOptions, cancel: &Cancel) -> Result<()> {
    cancel.check()?;
    session.start_bench(&options, BENCH_SEED)?;
    let mut told_ms = f64::NEG_INFINITY;
    loop {
        match session.bench_step(|| js::now_ms() / 1000.0).await? {
            BenchStep::Working { done, total } => {
                let now_ms = js::now_ms();
                if now_ms - told_ms >= MEASURING_MS {
                    told_ms = now_ms;
                    post(&Event::Measuring { done_tokens: done as u64, total_tokens: total as u64 });
                }
                js::yield_to_browser().await;
                cancel.check()?;
            }
            // No pause: once the last one is told, a new request must not meet this one.
            BenchStep::Measured { test, tokens_per_sec, gpu_cost, profile } => {
                post(&Event::Measured { test, tokens_per_sec, heap_bytes: js::heap_bytes(), gpu_cost, profile });
            }
            BenchStep::Done => return Ok(()),
        }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
