//! One thing at a time: what the worker does now, what waits, and what a newer wish ends.

use crate::protocol::{BenchOptions, GenerateOptions, LoadOptions, Stage};
use crate::store::Cancel;
use std::collections::VecDeque;

/// Work that takes a while. `F` is the person's own file, which travels beside the request.
#[derive(Debug, Clone, PartialEq)]
pub enum Work<F> {
    /// See [`Request::Load`](crate::protocol::Request::Load).
    Load(LoadOptions, Option<F>),
    /// See [`Request::Generate`](crate::protocol::Request::Generate).
    Generate(GenerateOptions),
    /// See [`Request::Bench`](crate::protocol::Request::Bench).
    Bench(BenchOptions),
}

impl<F> Work<F> {
    /// What an error in it is reported as.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Load(..) => Stage::Load,
            Self::Generate(_) => Stage::Generate,
            Self::Bench(_) => Stage::Bench,
        }
    }

    fn needs_model(&self) -> bool {
        !matches!(self, Self::Load(..))
    }
}

/// Work, and the wish to end it.
#[derive(Debug, Clone)]
pub struct Job<F> {
    /// What to do.
    pub work: Work<F>,
    /// A job that is cancelled before its turn still takes its turn, so that it is answered.
    pub cancel: Cancel,
}

/// See the module.
#[derive(Debug)]
pub struct Queue<F> {
    running: Option<(Stage, Cancel)>,
    waiting: VecDeque<Job<F>>,
}

impl<F> Default for Queue<F> {
    fn default() -> Self {
        Self { running: None, waiting: VecDeque::new() }
    }
}

impl<F> Queue<F> {
    /// Adds work. A load ends everything before it; a reply ends the replies before it, but waits for a load.
    pub fn push(&mut self, work: Work<F>) {
        self.end_replies();
        if !work.needs_model() {
            self.end_loads();
        }
        self.waiting.push_back(Job { work, cancel: Cancel::default() });
    }

    /// Ends every load, now or in its turn.
    pub fn end_loads(&self) {
        self.end(|stage| stage == Stage::Load);
    }

    /// Ends every reply and measurement, now or in its turn.
    pub fn end_replies(&self) {
        self.end(|stage| matches!(stage, Stage::Generate | Stage::Bench));
    }

    fn end(&self, which: impl Fn(Stage) -> bool) {
        let running = self.running.iter().map(|(stage, cancel)| (*stage, cancel));
        let waiting = self.waiting.iter().map(|job| (job.work.stage(), &job.cancel));
        running.chain(waiting).filter(|(stage, _)| which(*stage)).for_each(|(_, cancel)| cancel.cancel());
    }

    /// The next job, which runs from now on. The one before is done.
    pub fn take(&mut self) -> Option<Job<F>> {
        let job = self.waiting.pop_front();
        self.running = job.as_ref().map(|job| (job.work.stage(), job.cancel.clone()));
        job
    }

    /// What runs.
    pub fn running(&self) -> Option<Stage> {
        self.running.as_ref().map(|(stage, _)| *stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{BackendWish, CacheType, Sampling, Source};

    fn load() -> Work<()> {
        let source = Source::Local { name: "m.gguf".into() };
        let options = LoadOptions {
            source,
            hub: String::new(),
            context_tokens: 4096,
            keep: true,
            backend: BackendWish::Best,
            cache: CacheType::F16,
            threads: 0,
        };
        Work::Load(options, None)
    }

    fn reply() -> Work<()> {
        let sampling = Sampling::default();
        Work::Generate(GenerateOptions { messages: vec![], sampling, max_tokens: 0, thinking: false })
    }

    fn bench() -> Work<()> {
        Work::Bench(BenchOptions { n_prompt: 1, n_gen: 1, depth: 0, reps: 1, profile: false })
    }

    /// The first of `before` runs, the others wait; then `act`. Which of them are to end?
    fn check(before: &[fn() -> Work<()>], act: impl Fn(&mut Queue<()>), expected: &[bool]) {
        let mut queue = Queue::default();
        queue.push(before[0]());
        let mut jobs = vec![queue.take().unwrap()];
        // Past `push`, whose own effect is not what is asked here.
        queue.waiting.extend(before[1..].iter().map(|work| Job { work: work(), cancel: Cancel::default() }));
        jobs.extend(queue.waiting.iter().cloned());
        act(&mut queue);
        let ended: Vec<_> = jobs.iter().map(|job| job.cancel.is_cancelled()).collect();
        assert_eq!(ended, expected);
    }

    #[test]
    fn a_newer_wish_ends_what_it_overtakes() {
        check(&[load, reply], |queue| queue.push(load()), &[true, true]);
        check(&[reply], |queue| queue.push(load()), &[true]);
        check(&[load, reply], |queue| queue.push(reply()), &[false, true]);
        check(&[reply], |queue| queue.push(bench()), &[true]);
        check(&[bench, reply], Queue::end_replies_mut, &[true, true]);
        check(&[load, reply], Queue::end_replies_mut, &[false, true]);
        check(&[load, reply, load], Queue::end_loads_mut, &[true, false, true]);
    }

    impl Queue<()> {
        fn end_replies_mut(&mut self) {
            self.end_replies();
        }

        fn end_loads_mut(&mut self) {
            self.end_loads();
        }
    }

    #[test]
    fn work_is_done_in_order() {
        let mut queue = Queue::default();
        assert_eq!(queue.running(), None);
        queue.push(load());
        queue.push(reply());
        assert_eq!(queue.running(), None);
        for expected in [Some(Stage::Load), Some(Stage::Generate), None, None] {
            assert_eq!(queue.take().map(|job| job.work.stage()), expected);
            assert_eq!(queue.running(), expected);
        }
    }

    #[test]
    fn what_is_cancelled_wakes_up() {
        let mut queue = Queue::default();
        queue.push(load());
        let job = queue.take().unwrap();
        let woken = std::rc::Rc::new(std::cell::Cell::new(false));
        let wake = woken.clone();
        job.cancel.on_cancel(move || wake.set(true));
        queue.end_loads();
        assert!(woken.get() && job.cancel.check().is_err());
    }
}
