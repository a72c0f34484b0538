//! Threads that do the tasks of one op together, or of several that read the same.
//!
//! The thread that runs the plan opens a job, does tasks of it like everybody else, closes it, and waits for those who are
//! still at a task. Everybody has a share, tasks that follow one another, because what they read does too and processors
//! fetch that ahead; who is done with theirs takes from the ends of the others'. A helper that comes too late finds the job
//! closed; nobody ever waits for a thread that is asleep. Helpers watch for the next job for a short while, because it
//! usually follows at once, and then sleep; those whose help does not pay off sleep until it is wanted.

#![expect(unsafe_code, reason = "a job lives on the stack of the thread that opens it")]

mod parts;
mod share;

pub(super) use parts::Columns;

use share::Share;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// What a task is given: its number.
type Task<'a> = &'a (dyn Fn(usize) + Sync + 'a);

/// Set in [`Board::state`] while a job can be joined; the other bits count who is at it.
const OPEN: u32 = 1 << 31;

/// How often a helper looks for a job before it sleeps: some tens of microseconds in wasm, which has no instruction to wait.
const SPINS: u32 = 20_000;

/// Tasks of a buffer for each thread: enough that a slow thread does fewer of them.
const TASKS_PER_THREAD: usize = 16;

/// How often a job's end is looked for: some seconds, and a task takes milliseconds. A thread that the browser has ended
/// never leaves its job. Looks are counted, not seconds, because a device may sleep meanwhile.
const LOOKS_MAX: u64 = 5_000_000_000;

/// Set when a helper has died at a task: where a panic ends a thread at once, it never leaves its job.
static IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// Says that a helper has died, so that nobody waits for it.
pub fn helper_died() {
    IS_BROKEN.store(true, Ordering::Relaxed);
}

/// Ends the program: a thread may still be at a job whose task is gone as soon as this one goes on. A panic does so in wasm;
/// elsewhere it would go on, somewhere else.
fn give_up(message: &str) -> ! {
    #[cfg(not(target_arch = "wasm32"))]
    {
        eprintln!("{message}");
        std::process::abort();
    }
    #[cfg(target_arch = "wasm32")]
    panic!("{message}");
}

/// What all threads see.
#[derive(Debug, Default)]
struct Board {
    /// What a task of the job does.
    job: UnsafeCell<Option<*const (dyn Fn(usize) + Sync)>>,
    /// The tasks that are left, of this thread and of every helper.
    shares: Vec<Share>,
    state: AtomicU32,
    /// Counts jobs.
    epoch: AtomicU32,
    /// Helpers of a lower number may join.
    n_helpers: AtomicU32,
    ended: AtomicBool,
    /// A task has panicked on a helper, where that ends the helper alone.
    has_failed: AtomicBool,
    /// Helpers whose threads have come.
    n_arrived: AtomicU32,
    sleepers: AtomicU32,
    bed: Mutex<()>,
    alarm: Condvar,
}

/// Closes the job and waits for those who are at it, also when a task panics.
struct Closing<'a>(&'a Board);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::Relaxed);
        for _ in 0..LOOKS_MAX {
            if self.0.state.load(Ordering::Acquire) == 0 {
                return;
            }
            if IS_BROKEN.load(Ordering::Relaxed) {
                break;
            }
            std::hint::spin_loop();
        }
        give_up("A thread has stopped in the middle of its work.");
    }
}

/// Leaves the job, also when a task panics.
struct Leaving<'a>(&'a Board);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_failed.store(true, Ordering::Relaxed);
        }
        self.0.state.fetch_sub(1, Ordering::Release);
    }
}

// SAFETY: `job` is written only while no job is open and nobody is at one, and read only by those who have joined.
unsafe impl Sync for Board {}
// SAFETY: a job's task is `Sync`, and outlives the job: see `Pool::run`.
unsafe impl Send for Board {}

/// A thread's place at a pool.
#[derive(Debug)]
pub struct Helper {
    board: Arc<Board>,
    number: u32,
}

/// The threads that work for one model.
#[derive(Debug)]
pub struct Pool {
    board: Arc<Board>,
    n_threads_max: usize,
    n_threads: usize,
    /// One thread opens jobs.
    not_sync: PhantomData<Cell<()>>,
}

impl Pool {
    /// This thread and `n_threads − 1` helpers, each of which must be run on a thread of its own ([`Helper::work`]).
    pub fn new(n_threads: usize) -> (Self, Vec<Helper>) {
        let n_threads = n_threads.max(1);
        let shares = (0..n_threads).map(|_| Share::default()).collect();
        let board = Arc::new(Board { shares, ..Board::default() });
        let helpers = (0..narrow(n_threads - 1)).map(|number| Helper { board: board.clone(), number }).collect();
        let mut pool = Self { board, n_threads_max: n_threads, n_threads, not_sync: PhantomData };
        pool.use_threads(n_threads);
        (pool, helpers)
    }

    /// This thread alone.
    pub fn alone() -> Self {
        Self::new(1).0
    }

    /// This thread and `n_threads − 1` new ones.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn spawn(n_threads: usize) -> Self {
        let (pool, helpers) = Self::new(n_threads);
        for helper in helpers {
            helper.arrive();
            std::thread::spawn(|| helper.work());
        }
        pool
    }

    /// Threads that share the work.
    pub fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Threads that there are to be.
    pub fn n_threads_max(&self) -> u32 {
        narrow(self.n_threads_max)
    }

    /// Threads that have come so far: this one, and those of the helpers that [have](Helper::arrive).
    pub fn n_arrived(&self) -> u32 {
        1 + self.board.n_arrived.load(Ordering::Relaxed)
    }

    /// Shares the work out to fewer threads than there are, or to all of them again.
    pub fn use_threads(&mut self, n_threads: usize) {
        self.n_threads = n_threads.clamp(1, self.n_threads_max);
        let n_helpers = narrow(self.n_threads - 1);
        if self.board.n_helpers.swap(n_helpers, Ordering::Relaxed) != n_helpers {
            self.board.wake_all();
        }
    }

    /// Runs tasks 0 … n_tasks − 1, in any order, on all threads; returns when all are done, and panics if one has.
    pub(crate) fn run(&self, n_tasks: usize, task: Task<'_>) {
        if self.n_threads == 1 || n_tasks < 2 {
            (0..n_tasks).for_each(task);
            return;
        }
        let board = &*self.board;
        assert_eq!(board.state.load(Ordering::Acquire), 0, "a task opened a job");
        // SAFETY: only the lifetime changes. When this returns, the job is closed and nobody is at it.
        let task_for_all = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(task) };
        // SAFETY: the last job is closed and nobody is at it, so nobody reads the cell.
        unsafe { *board.job.get() = Some(task_for_all) };
        let bound = |i: usize| n_tasks * i.min(self.n_threads) / self.n_threads;
        board.shares.iter().enumerate().for_each(|(i, share)| share.fill(bound(i)..bound(i + 1)));
        board.state.store(OPEN, Ordering::Release);
        board.epoch.fetch_add(1, Ordering::SeqCst);
        if board.sleepers.load(Ordering::SeqCst) > 0 {
            board.wake_all();
        }
        let closing = Closing(board);
        board.take_tasks(0, task);
        drop(closing);
        assert!(!board.has_failed.load(Ordering::Relaxed), "a task has panicked on another thread");
    }

    /// How many parts to cut a job into.
    fn n_parts(&self, n_units: usize) -> usize {
        if self.n_threads == 1 { 1 } else { n_units.min(self.n_threads * TASKS_PER_THREAD) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.board.ended.store(true, Ordering::SeqCst);
        self.board.wake_all();
    }
}

impl Helper {
    /// Takes note that its thread has come.
    pub fn arrive(&self) {
        self.board.n_arrived.fetch_add(1, Ordering::Relaxed);
    }

    /// Helps with every job until the pool is dropped.
    pub fn work(self) {
        let board = &*self.board;
        let mut seen = 0;
        while let Some(epoch) = board.wait_for_job(self.number, seen) {
            seen = epoch;
            if !board.is_spare(self.number) && board.join() {
                let _left = Leaving(board);
                // SAFETY: the job was written before it was opened, and is not written again before we leave it.
                if let Some(task) = unsafe { *board.job.get() } {
                    // SAFETY: the task lives until the job is closed and everybody has left it.
                    board.take_tasks(self.number as usize + 1, unsafe { &*task });
                }
            }
        }
    }
}

impl Board {
    /// Does the tasks of one's own share, and then what is left of the others'.
    fn take_tasks(&self, own: usize, task: Task<'_>) {
        std::iter::from_fn(|| self.shares[own].first()).for_each(task);
        let (before, after) = self.shares.split_at(own);
        for share in after.iter().chain(before) {
            std::iter::from_fn(|| share.last()).for_each(task);
        }
    }

    /// Whether the job was still open.
    fn join(&self) -> bool {
        let join = |state| (state & OPEN != 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, join).is_ok()
    }

    /// The number of a job after `seen` that this helper is to help with; none if there will be none.
    fn wait_for_job(&self, number: u32, seen: u32) -> Option<u32> {
        for _ in 0..SPINS {
            if self.is_spare(number) || self.is_news(number, seen) {
                break;
            }
            std::hint::spin_loop();
        }
        if !self.is_news(number, seen) {
            let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                // Who is to help with no job at all is not counted among those who must be woken for one.
                let counted = u32::from(!self.is_spare(number));
                self.sleepers.fetch_add(counted, Ordering::SeqCst);
                let is_news = self.is_news(number, seen);
                if !is_news {
                    bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
                }
                self.sleepers.fetch_sub(counted, Ordering::SeqCst);
                if is_news {
                    break;
                }
            }
        }
        (!self.ended.load(Ordering::SeqCst)).then(|| self.epoch.load(Ordering::SeqCst))
    }

    fn is_news(&self, number: u32, seen: u32) -> bool {
        let is_job = !self.is_spare(number) && self.epoch.load(Ordering::SeqCst) != seen;
        is_job || self.ended.load(Ordering::SeqCst)
    }

    /// Whether this helper's help does not pay off.
    fn is_spare(&self, number: u32) -> bool {
        number >= self.n_helpers.load(Ordering::Relaxed)
    }

    fn wake_all(&self) {
        let _bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.alarm.notify_all();
    }
}

fn narrow(n_threads: usize) -> u32 {
    u32::try_from(n_threads).expect("threads are few")
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Runs `test` with a pool of this many threads.
    fn with_pool(n_threads: usize, test: impl FnOnce(&mut Pool)) {
        let (mut pool, helpers) = Pool::new(n_threads);
        let threads: Vec<_> = helpers.into_iter().map(|helper| std::thread::spawn(|| helper.work())).collect();
        test(&mut pool);
        drop(pool);
        threads.into_iter().for_each(|thread| thread.join().expect("a helper does not panic"));
    }

    #[test]
    fn every_task_is_done_once() {
        for n_threads in 1..=4 {
            with_pool(n_threads, |pool| {
                for n_tasks in (0..3000).map(|job| job % 37) {
                    let done: Vec<AtomicUsize> = (0..n_tasks).map(|_| AtomicUsize::new(0)).collect();
                    pool.run(n_tasks, &|task| {
                        done[task].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                }
            });
        }
    }

    #[test]
    fn a_task_that_panics_on_a_helper_is_no_success() {
        let (pool, helpers) = Pool::new(2);
        let threads: Vec<_> = helpers.into_iter().map(|helper| std::thread::spawn(|| helper.work())).collect();
        let (opener, all_at_once) = (std::thread::current().id(), std::sync::Barrier::new(2));
        let run = || {
            pool.run(2, &|_| {
                all_at_once.wait();
                assert_eq!(std::thread::current().id(), opener, "this one is to panic");
            });
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("the job failed");
        drop(pool);
        assert!(threads.into_iter().all(|thread| thread.join().is_err()), "the helper panicked");
    }

    #[test]
    fn helpers_that_were_spare_are_woken() {
        with_pool(3, |pool| {
            for n_threads in [1, 3, 2, 3] {
                pool.use_threads(n_threads);
                std::thread::sleep(std::time::Duration::from_millis(20));
                let all_at_once = std::sync::Barrier::new(n_threads);
                pool.run(n_threads, &|_| {
                    all_at_once.wait();
                });
            }
        });
    }

    #[test]
    fn helpers_that_sleep_are_woken() {
        with_pool(3, |pool| {
            for _ in 0..5 {
                std::thread::sleep(std::time::Duration::from_millis(20));
                let all_at_once = std::sync::Barrier::new(3);
                pool.run(3, &|_| {
                    all_at_once.wait();
                });
            }
        });
    }
}
