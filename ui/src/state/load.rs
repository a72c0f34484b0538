//! A load in progress: how far, how fast, how long still.

use crate::text;
use protocol::{LoadOptions, LoadStage, ModelInfo, StartOver};
use std::collections::VecDeque;

/// A model that is on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    pub options: LoadOptions,
    /// None until the first bytes arrive.
    pub stage: Option<LoadStage>,
    pub loaded_bytes: u64,
    /// 0 while unknown.
    pub total_bytes: u64,
    /// The person asked to give it up.
    pub cancelling: bool,
    /// Why it began again from the first byte, if it did.
    pub started_over: Option<StartOver>,
    /// Times and bytes of the last seconds.
    recent: VecDeque<(u64, u64)>,
}

/// The speed shown is the mean over this long: steady to the eye, and still true.
const RATE_MS: u64 = 5_000;

impl Load {
    pub fn new(options: LoadOptions) -> Self {
        Self {
            options,
            stage: None,
            loaded_bytes: 0,
            total_bytes: 0,
            cancelling: false,
            started_over: None,
            recent: VecDeque::new(),
        }
    }

    pub fn progress(&mut self, stage: LoadStage, loaded_bytes: u64, total_bytes: u64, now_ms: u64) {
        if self.stage != Some(stage) || loaded_bytes < self.loaded_bytes {
            self.recent.clear();
        }
        self.stage = Some(stage);
        self.loaded_bytes = loaded_bytes;
        self.total_bytes = total_bytes;
        self.recent.push_back((now_ms, loaded_bytes));
        while self.recent.len() > 2 && self.recent.front().is_some_and(|(ms, _)| ms + RATE_MS < now_ms) {
            self.recent.pop_front();
        }
    }

    pub fn bytes_per_sec(&self) -> Option<f64> {
        let (first_ms, first_bytes) = self.recent.front()?;
        let (last_ms, last_bytes) = self.recent.back()?;
        let elapsed_ms = last_ms.checked_sub(*first_ms).filter(|ms| *ms >= 500)?;
        Some((last_bytes - first_bytes) as f64 * 1000.0 / elapsed_ms as f64)
    }

    pub fn secs_left(&self) -> Option<f64> {
        let rate = self.bytes_per_sec().filter(|rate| *rate > 0.0)?;
        let left_bytes = self.total_bytes.checked_sub(self.loaded_bytes).filter(|_| self.total_bytes > 0)?;
        Some(left_bytes as f64 / rate)
    }

    /// From 0 to 1, once the size is known.
    pub fn fraction(&self) -> Option<f64> {
        (self.total_bytes > 0).then(|| (self.loaded_bytes as f64 / self.total_bytes as f64).min(1.0))
    }
}

/// Where the model runs, and what it uses there.
pub fn place(model: &ModelInfo) -> String {
    text::model::place(&model.backend, model.threads.most(), &model.tier)
}

/// A sentence on why a load began again.
pub fn explain(why: StartOver) -> &'static str {
    match why {
        StartOver::Changed => text::model::CHANGED,
        StartOver::Unsure => text::model::UNSURE,
        StartOver::Unusable => text::model::UNUSABLE,
    }
}
