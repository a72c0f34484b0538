//! Replies whose tokens are drawn on the device: steps are submitted before the tokens of earlier ones are known.
//!
//! ```text
//! host    submit 0 · submit 1 · submit 2 · token 0? · submit 3 · token 1? …
//! device          [ 0 ] [ 1 ] [ 2 ] [ 3 ] …        each draws a token, which the next one reads
//! ```
//!
//! What is in flight when a reply ends was in vain: it stands in the cache after everything that counts.

use super::kernels::{CANDIDATES, RECENT, Size, slices};
use super::memory::{CHANCES, DRAWN_WORDS};
use super::readback::Readback;
use super::{Gpu, Work};
use crate::backend::Batch;
use crate::error::Result;
use crate::protocol::Sampling;
use std::collections::VecDeque;

/// Steps that are submitted before the host waits for a token, at least and at most. Some browsers look only now and then
/// whether the device is done, so one would not do; and a reply that ends has as many in vain.
const AHEAD: std::ops::RangeInclusive<usize> = 4..=32;

/// How the tokens of a reply are drawn.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// Penalties and filters; [`Gpu::can_draw`] must hold.
    pub sampling: Sampling,
    /// Random numbers of [0, 1), one a token.
    pub chances: Vec<f32>,
    /// The tokens before, oldest first, as far as penalties look.
    pub recent: Vec<u32>,
}

/// A reply in progress.
#[derive(Debug)]
pub(super) struct Draws {
    /// Position of the next step's token.
    next: usize,
    /// Steps to submit before waiting for a token, of [`AHEAD`].
    ahead: usize,
    has_penalties: bool,
    /// Where the tokens of submitted steps arrive, the oldest first.
    in_flight: VecDeque<Readback>,
    /// Readbacks that can be used again.
    idle: Vec<Readback>,
}

impl Default for Draws {
    fn default() -> Self {
        Self { next: 0, ahead: *AHEAD.start(), has_penalties: false, in_flight: VecDeque::new(), idle: Vec::new() }
    }
}

/// How many steps to submit ahead, when the host has waited for one and `n_done` of `n` later ones were done by then: twice
/// as many if the device has run out of work, half as many if it is still at the first.
fn paced(ahead: usize, n_done: usize, n: usize) -> usize {
    let paced = match n_done {
        0 => ahead / 2,
        _ if n_done == n => ahead * 2,
        _ => ahead,
    };
    paced.clamp(*AHEAD.start(), *AHEAD.end())
}

impl Drawing {
    /// Random numbers that a reply needs.
    pub const N_CHANCES: usize = CHANCES;
}

impl Gpu {
    /// Whether the device can draw tokens in this way.
    pub fn can_draw(&self, sampling: &Sampling) -> bool {
        let n_vocab = self.plan.logits.map_or(0, |logits| self.plan.width(logits));
        let is_greedy = sampling.temperature <= 0.0;
        let has_few = (1..=CANDIDATES).contains(&(sampling.top_k as usize));
        let numbers = [
            sampling.temperature,
            sampling.top_p,
            sampling.min_p,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ];
        slices(n_vocab) <= CANDIDATES
            && n_vocab > 0
            && (is_greedy || has_few)
            && numbers.iter().all(|x| x.is_finite())
            && (!has_penalties(sampling) || sampling.penalty_last_n as usize <= RECENT)
    }

    /// Reads a batch and begins to draw the tokens that follow it; they come by [`Self::drawn`].
    ///
    /// # Errors
    /// What the device says.
    pub fn start_drawing(&mut self, batch: &Batch<'_>, drawing: &Drawing) -> Result<()> {
        self.write_drawing(drawing);
        let mut draws = std::mem::take(&mut self.draws);
        // Tokens of the reply before, which nobody wants any more.
        draws.in_flight.clear();
        draws.has_penalties = has_penalties(&drawing.sampling);
        draws.next = batch.start + batch.tokens.len();
        let size =
            Size { start: batch.start, n_tokens: batch.tokens.len(), n_outputs: 1, has_penalties: draws.has_penalties };
        let readback = self.submit(&size, Work::BatchAndDraw(batch), draws.idle.pop());
        draws.in_flight.extend(readback);
        self.draws = draws;
        self.device.check()
    }

    /// The next token. The step that reads it has been submitted, if there is room for it in the cache.
    ///
    /// # Errors
    /// What the device says.
    pub async fn drawn(&mut self) -> Result<u32> {
        while self.draws.in_flight.len() <= self.draws.ahead && self.draws.next < self.n_ctx {
            let has_penalties = self.draws.has_penalties;
            let size = Size { start: self.draws.next, n_tokens: 1, n_outputs: 1, has_penalties };
            let idle = self.draws.idle.pop();
            let readback = self.submit(&size, Work::Draw, idle);
            self.draws.in_flight.extend(readback);
            self.draws.next += 1;
        }
        let mut readback = self.draws.in_flight.pop_front().expect("a reply was begun, and has room");
        let had_to_wait = !readback.is_answered();
        let token: Vec<u32> = readback.take(&self.device, 1).await?;
        if had_to_wait {
            let n_done = self.draws.in_flight.iter().filter(|readback| readback.is_answered()).count();
            self.draws.ahead = paced(self.draws.ahead, n_done, self.draws.in_flight.len());
        }
        self.draws.idle.push(readback);
        self.counters.read_bytes += 4;
        Ok(token[0])
    }

    /// Waits for what is in flight, and forgets it.
    ///
    /// # Errors
    /// What the device says.
    pub async fn settle(&mut self) -> Result<()> {
        while let Some(mut readback) = self.draws.in_flight.pop_front() {
            readback.take::<u32>(&self.device, 1).await?;
            self.draws.idle.push(readback);
        }
        Ok(())
    }

    fn write_drawing(&mut self, drawing: &Drawing) {
        let Drawing { sampling, chances, recent } = drawing;
        let last_n = sampling.penalty_last_n.clamp(1, u32::try_from(RECENT).expect("it is small"));
        let is_greedy = sampling.temperature <= 0.0;
        let settings = [
            sampling.temperature.to_bits(),
            if is_greedy { 1 } else { sampling.top_k },
            sampling.top_p.to_bits(),
            if sampling.min_p > 0.0 { sampling.min_p.min(1.0).ln() } else { f32::MIN }.to_bits(),
            sampling.repeat_penalty.to_bits(),
            sampling.frequency_penalty.to_bits(),
            sampling.presence_penalty.to_bits(),
            last_n,
        ];
        let recent = &recent[recent.len().saturating_sub(last_n as usize)..];
        let n_recent = u32::try_from(recent.len()).expect("it is small");
        let mut drawn = vec![0; DRAWN_WORDS];
        drawn[2] = n_recent;
        drawn.extend_from_slice(recent);
        let chances = &chances[..chances.len().min(CHANCES)];
        self.write(&self.memory.settings.clone(), bytemuck::cast_slice(&settings));
        self.write(&self.memory.drawn.clone(), bytemuck::cast_slice(&drawn));
        self.write(&self.memory.chances.clone(), bytemuck::cast_slice(chances));
    }

    fn write(&mut self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        self.device.queue.write_buffer(buffer, 0, bytes);
        self.counters.n_writes += 1;
        self.counters.written_bytes += bytes.len();
    }
}

fn has_penalties(sampling: &Sampling) -> bool {
    let is_neutral =
        sampling.repeat_penalty == 1.0 && sampling.frequency_penalty == 0.0 && sampling.presence_penalty == 0.0;
    !is_neutral && sampling.penalty_last_n > 0
}

#[cfg(test)]
mod tests {
    use super::paced;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_device_without_work_gets_more() {
        assert_eq!(paced(4, 4, 4), 8);
        assert_eq!(paced(32, 32, 32), 32);
        assert_eq!(paced(8, 3, 8), 8);
        assert_eq!(paced(8, 0, 8), 4);
        assert_eq!(paced(4, 0, 4), 4);
    }
}
