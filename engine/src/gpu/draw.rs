//! Replies whose tokens are drawn on the device: steps are submitted before the tokens of earlier ones are known.
//!
//! ```text
//! host    submit 0 · submit 1 · submit 2 · token 0? · submit 3 · token 1? …
//! device          [ 0 ] [ 1 ] [ 2 ] [ 3 ] …        each draws a token, which the next one reads
//! ```
//!
//! Where many are ahead, some share a readback: the more, the seldomer the browser looks.
//!
//! What is in flight when a reply ends was in vain: it stands in the cache after everything that counts.

use super::kernels::{CANDIDATES, Draw, RECENT, Size};
use super::memory::{CHANCES, DRAWN_WORDS};
use super::readback::Readback;
use super::{Gpu, Work};
use crate::backend::Batch;
use crate::error::Result;
use crate::protocol::Sampling;
use crate::sampler::Chances;
use std::collections::VecDeque;

/// Steps that are under way while the host waits for the next token, at least and at most. Some browsers look only now and then
/// whether the device is done, so one would not do; and a reply that ends has as many in vain.
const AHEAD: std::ops::RangeInclusive<usize> = 4..=64;
/// They are read back in so many parts.
const READBACKS: usize = 4;

/// How the tokens of a reply are drawn.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// Penalties and filters; [`Gpu::can_draw`] must hold.
    pub sampling: Sampling,
    /// Random numbers, one a token.
    pub chances: Chances,
    /// The tokens before, oldest first, as far as penalties look.
    pub recent: Vec<u32>,
    /// How many tokens are wanted at most: at least 1.
    pub n_max: usize,
}

/// A reply in progress.
#[derive(Debug)]
pub(super) struct Draws {
    /// Position of the next step's token.
    next: usize,
    /// Steps submitted so far, and at most.
    n_steps: usize,
    n_max: usize,
    /// Steps that are to be under way, of [`AHEAD`].
    ahead: usize,
    draw: Draw,
    chances: Chances,
    /// Where the tokens of submitted steps arrive, the oldest first.
    in_flight: VecDeque<Readback>,
    /// Tokens that came together with the one before, the oldest first.
    arrived: VecDeque<u32>,
}

impl Default for Draws {
    fn default() -> Self {
        Self {
            next: 0,
            n_steps: 0,
            n_max: 0,
            ahead: *AHEAD.start(),
            draw: Draw::default(),
            chances: Chances::new(0),
            in_flight: VecDeque::new(),
            arrived: VecDeque::new(),
        }
    }
}

impl Draws {
    /// Tokens that are drawn, or will be, and that nobody has had yet.
    fn n_ahead(&self) -> usize {
        self.arrived.len() + self.in_flight.iter().map(Readback::len::<u32>).sum::<usize>()
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

impl Gpu {
    /// Whether the device can draw tokens in this way.
    pub fn can_draw(&self, sampling: &Sampling) -> bool {
        let numbers = [
            sampling.temperature,
            sampling.top_p,
            sampling.min_p,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ];
        self.n_vocab() > 0
            && numbers.iter().all(|x| x.is_finite())
            && (!has_penalties(sampling) || sampling.penalty_last_n as usize <= RECENT)
    }

    /// Reads a batch and begins to draw the tokens that follow it; they come by [`Self::drawn`].
    ///
    /// # Errors
    /// What the device says.
    pub fn start_drawing(&mut self, batch: &Batch<'_>, drawing: &Drawing) -> Result<()> {
        self.write_drawing(drawing);
        // Tokens of the reply before are nothing that anybody wants any more.
        self.draws = Draws {
            next: batch.start,
            n_max: drawing.n_max,
            ahead: self.draws.ahead,
            draw: self.draw_by(&drawing.sampling),
            chances: drawing.chances.clone(),
            ..Draws::default()
        };
        self.submit_steps(1, Work::BatchAndDraw(batch), batch.tokens.len());
        self.device.check()
    }

    /// The next token. The step that reads it has been submitted, if there is room for it in the cache.
    ///
    /// # Errors
    /// What the device says.
    pub async fn drawn(&mut self) -> Result<u32> {
        loop {
            let Draws { next, n_steps, n_max, ahead, .. } = self.draws;
            let n = (ahead / READBACKS).min(self.n_ctx - next).min(n_max - n_steps);
            if n == 0 || self.draws.n_ahead() + n > ahead + 1 {
                break;
            }
            self.submit_steps(n, Work::Draw, 1);
        }
        if self.draws.arrived.is_empty() {
            self.receive().await?;
        }
        Ok(self.draws.arrived.pop_front().expect("a reply was begun, and has room"))
    }

    fn draw_by(&self, sampling: &Sampling) -> Draw {
        Draw { has_penalties: has_penalties(sampling), is_from_all: self.top_k(sampling) > CANDIDATES }
    }

    /// How many tokens may be left at most.
    fn top_k(&self, sampling: &Sampling) -> usize {
        match sampling.top_k as usize {
            _ if sampling.temperature <= 0.0 => 1,
            0 => self.n_vocab(),
            k => k.min(self.n_vocab()),
        }
    }

    fn n_vocab(&self) -> usize {
        self.plan.logits.map_or(0, |logits| self.plan.width(logits))
    }

    /// Submits steps that read as many tokens each, and asks for all tokens that they draw.
    fn submit_steps(&mut self, n: usize, work: Work<'_>, n_tokens: usize) {
        let mut readback = self.idle.pop().unwrap_or_default();
        readback.make_room(&self.device, n * size_of::<u32>());
        for _ in 0..n {
            if self.draws.n_steps.is_multiple_of(CHANCES) {
                let chances: Vec<f32> = self.draws.chances.by_ref().take(CHANCES).collect();
                self.write(&self.memory.chances.clone(), bytemuck::cast_slice(&chances));
            }
            let size = Size { start: self.draws.next, n_tokens, n_outputs: 1, draw: self.draws.draw };
            self.submit(&size, work, &mut readback);
            self.draws.next += n_tokens;
            self.draws.n_steps += 1;
        }
        readback.ask();
        self.draws.in_flight.push_back(readback);
    }

    /// Waits for the oldest tokens in flight.
    async fn receive(&mut self) -> Result<()> {
        let draws = &mut self.draws;
        let mut readback = draws.in_flight.pop_front().expect("a reply was begun, and has room");
        let had_to_wait = !readback.is_answered();
        let tokens: Vec<u32> = readback.take(&self.device).await?;
        // At the end of a reply nothing is left to tell from.
        if had_to_wait && !draws.in_flight.is_empty() {
            let n_done = draws.in_flight.iter().filter(|readback| readback.is_answered()).count();
            draws.ahead = paced(draws.ahead, n_done, draws.in_flight.len());
        }
        self.counters.n_reads += 1;
        self.counters.read_bytes += tokens.len() * size_of::<u32>();
        draws.arrived.extend(tokens);
        self.idle.push(readback);
        Ok(())
    }

    /// Waits for what is under way, and forgets what comes of it.
    ///
    /// # Errors
    /// What the device says.
    pub async fn settle(&mut self) -> Result<()> {
        while !self.unread.is_empty() {
            self.receive_unread().await?;
        }
        while let Some(mut readback) = self.draws.in_flight.pop_front() {
            readback.take::<u32>(&self.device).await?;
            self.idle.push(readback);
        }
        self.draws.arrived.clear();
        Ok(())
    }

    fn write_drawing(&mut self, drawing: &Drawing) {
        let Drawing { sampling, recent, .. } = drawing;
        let last_n = sampling.penalty_last_n.clamp(1, u32::try_from(RECENT).expect("it is small"));
        let settings = [
            sampling.temperature.to_bits(),
            u32::try_from(self.top_k(sampling)).expect("vocabularies are small"),
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
        self.write(&self.memory.settings.clone(), bytemuck::cast_slice(&settings));
        self.write(&self.memory.drawn.clone(), bytemuck::cast_slice(&drawn));
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
    #[cfg(not(target_arch = "wasm32"))]
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_device_without_work_gets_more() {
        assert_eq!(paced(4, 4, 4), 8);
        assert_eq!(paced(64, 4, 4), 64);
        assert_eq!(paced(8, 3, 8), 8);
        assert_eq!(paced(8, 0, 8), 4);
        assert_eq!(paced(4, 0, 4), 4);
    }

    /// The tokens of a reply when so many steps are under way at first, and how often the host read.
    #[cfg(not(target_arch = "wasm32"))]
    fn reply(ahead: usize) -> (Vec<u32>, usize) {
        use crate::backend::Outputs;
        use crate::dtype::DType;
        use crate::gpu::{Device, Options};
        use crate::plan::{Op, Plan, Weight};
        use crate::quant::random_blocks;

        let (n_vocab, width, n_ctx) = (1000, 32, 100);
        let mut plan = Plan::default();
        let weight = plan.weight("embedding", n_vocab, width);
        let (x, last) = (plan.buf("x", width), plan.output_buf("last", width));
        let logits = plan.output_buf("logits", n_vocab);
        plan.push(Op::Embed { weight, scale: 1.0, dst: x });
        plan.push(Op::TakeOutputs { x, dst: last });
        plan.push(Op::MatMul { x: last, weight, bias: None, dst: logits });
        plan.logits = Some(logits);
        let device =
            pollster::block_on(Device::open(Options::default())).expect("a GPU, or a program that acts as one");
        let mut gpu = Gpu::new(device, plan, vec![DType::F32], n_ctx).expect("it fits");
        gpu.put(Weight(0), 0, &random_blocks(DType::F32, n_vocab * width, 1));
        gpu.draws.ahead = ahead;

        let sampling = Sampling { temperature: 1.0, top_k: 40, seed: Some(1), ..Sampling::default() };
        let drawing = Drawing { sampling, chances: Chances::new(1), recent: Vec::new(), n_max: n_ctx - 1 };
        let batch = Batch { tokens: &[1], start: 0, outputs: Outputs::Last };
        gpu.start_drawing(&batch, &drawing).expect("it is submitted");
        let tokens = (0..drawing.n_max).map(|_| pollster::block_on(gpu.drawn()).expect("it runs")).collect();
        (tokens, gpu.counters.n_reads)
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn tokens_that_come_together_are_the_same() {
        let ((one_by_one, _), (together, n_reads)) = (reply(*AHEAD.start()), reply(*AHEAD.end()));
        assert_eq!(together, one_by_one);
        assert!(n_reads < together.len() / 2, "{n_reads} reads of {} tokens", together.len());
    }
}
