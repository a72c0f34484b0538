//! A thread's share of a job.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tasks that nobody has taken yet: a range, start and end in one word, alone in its cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Share(AtomicU64);

impl Share {
    /// Puts new tasks in; there must be none left.
    pub(super) fn fill(&self, tasks: Range<usize>) {
        self.0.store((tasks.end as u64) << 32 | tasks.start as u64, Ordering::Relaxed);
    }

    /// Takes the first task.
    pub(super) fn first(&self) -> Option<usize> {
        self.take(|start, end| (start, (start + 1, end)))
    }

    /// Takes the last task.
    pub(super) fn last(&self) -> Option<usize> {
        self.take(|start, end| (end - 1, (start, end - 1)))
    }

    /// Takes a task of those from start to end, and leaves others.
    fn take(&self, task: impl Fn(u64, u64) -> (u64, (u64, u64))) -> Option<usize> {
        let split = |tasks: u64| (tasks & u64::from(u32::MAX), tasks >> 32);
        let leave = |tasks| {
            let (start, end) = split(tasks);
            let (_, (start, end)) = (start < end).then(|| task(start, end))?;
            Some(end << 32 | start)
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, leave).ok()?;
        let (start, end) = split(before);
        usize::try_from(task(start, end).0).ok()
    }
}
