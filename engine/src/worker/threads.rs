//! The engine's threads: workers of the same program on the same memory.
//!
//! A new worker takes its place at the pool that it was started for from [`PLACES`], and leaves when the pool is dropped.
//! Where memory is not shared, there is one thread.

use crate::cpu::{Machine, Pool};
use crate::store::js;

#[cfg(target_feature = "atomics")]
use crate::cpu::Helper;
#[cfg(target_feature = "atomics")]
use std::collections::VecDeque;
#[cfg(target_feature = "atomics")]
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Helpers of the newest pool whose thread has not come yet.
#[cfg(target_feature = "atomics")]
static PLACES: Mutex<Places> = Mutex::new(Places { pool: 0, helpers: VecDeque::new() });

/// See [`PLACES`].
#[cfg(target_feature = "atomics")]
struct Places {
    /// Counts pools.
    pool: u32,
    helpers: VecDeque<Helper>,
}

#[cfg(target_feature = "atomics")]
fn places() -> MutexGuard<'static, Places> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More threads than this only wait for each other.
#[cfg(target_feature = "atomics")]
const THREADS_MAX: usize = 16;

/// How long threads are waited for, and how often they are looked for.
#[cfg(target_feature = "atomics")]
const ARRIVAL_MS: f64 = 3000.0;
#[cfg(target_feature = "atomics")]
const ARRIVAL_STEP_MS: u32 = 5;

/// `wanted` threads, or as many as pay off if `wanted` is 0.
pub(super) fn machine(wanted: u32) -> Machine {
    Machine { pool: pool(wanted), clock: || js::now_ms() / 1000.0, tune: wanted == 0 }
}

/// A pool of `wanted` threads, or of as many as the device has cores if `wanted` is 0.
#[cfg(target_feature = "atomics")]
fn pool(wanted: u32) -> Pool {
    let n_threads = if wanted == 0 { n_cores() } else { wanted as usize };
    let (pool, helpers) = Pool::new(n_threads.clamp(1, THREADS_MAX));
    let n_helpers = helpers.len();
    let number = {
        let mut places = places();
        *places = Places { pool: places.pool + 1, helpers: helpers.into() };
        places.pool
    };
    spawn::forget();
    // If one cannot be started, nobody waits for it, and the others do its work.
    let n_started = (0..n_helpers).take_while(|_| spawn::start(number).is_ok()).count();
    places().helpers.truncate(n_started);
    pool
}

/// Waits for the threads, which take a moment to start; not for ever, because nothing needs them.
#[cfg(target_feature = "atomics")]
pub(super) async fn arrive() {
    let start_ms = js::now_ms();
    while !places().helpers.is_empty() && js::now_ms() - start_ms < ARRIVAL_MS {
        js::sleep(ARRIVAL_STEP_MS).await;
    }
}

/// There are no others.
#[cfg(not(target_feature = "atomics"))]
pub(super) async fn arrive() {}

/// A pool of this thread.
#[cfg(not(target_feature = "atomics"))]
fn pool(_wanted: u32) -> Pool {
    Pool::alone()
}

#[cfg(target_feature = "atomics")]
fn n_cores() -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates as it becomes an integer")]
    let n_cores = js::scope().navigator().hardware_concurrency() as usize;
    n_cores
}

#[cfg(target_feature = "atomics")]
mod spawn {
    use super::{Helper, js, places};
    use crate::worker::info;
    use std::cell::RefCell;
    use wasm_bindgen::prelude::*;
    use web_sys::{Worker, WorkerOptions, WorkerType};

    /// The name of a worker that helps.
    const NAME: &str = "helper";

    thread_local! {
        /// The helpers of the pool that is here: a browser may end a worker that nobody holds, though it works.
        static WORKERS: RefCell<Vec<Worker>> = const { RefCell::new(Vec::new()) };
    }

    /// Lets go of the helpers of the pool before, which end by themselves.
    pub(super) fn forget() {
        WORKERS.with_borrow_mut(Vec::clear);
    }

    /// Starts a worker that will call [`help`] with the number of this pool.
    pub(super) fn start(pool: u32) -> Result<(), JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(NAME);
        // As `xtask/src/variants.rs` names it.
        let worker = Worker::new_with_options(&format!("./worker_{}_helper.js", info::variant()), &options)?;
        worker.post_message(&js_sys::Array::of3(&wasm_bindgen::module(), &wasm_bindgen::memory(), &pool.into()))?;
        WORKERS.with_borrow_mut(|workers| workers.push(worker));
        Ok(())
    }

    /// Whether this is a thread that helps, and not the one that listens to the page.
    pub(crate) fn is_helper() -> bool {
        js::scope().name() == NAME
    }

    /// What a helper does.
    #[wasm_bindgen]
    #[expect(unreachable_pub, reason = "JavaScript calls it")]
    pub fn help(pool: u32) {
        // The first first: if threads are missing, they are the last ones, which are asked for last. Who comes when there is
        // another pool comes too late.
        let places = Some(places()).filter(|places| places.pool == pool);
        let helper = places.and_then(|mut places| places.helpers.pop_front().inspect(Helper::arrive));
        if let Some(helper) = helper {
            helper.work();
        }
    }

    /// What a helper's script calls when [`help`] has failed.
    #[wasm_bindgen]
    #[expect(unreachable_pub, reason = "JavaScript calls it")]
    pub fn help_failed() {
        crate::cpu::helper_died();
    }
}

/// Whether this is a thread that helps, and not the one that listens to the page.
pub fn is_helper() -> bool {
    #[cfg(target_feature = "atomics")]
    return spawn::is_helper();
    #[cfg(not(target_feature = "atomics"))]
    false
}
