//! Decode-ahead: the device samples tokens, and steps are submitted before the tokens of earlier ones are known.
//!
//! ```text
//! host    submit 0 · submit 1 · submit 2 · token 0? · submit 3 · token 1? …
//! device          [ 0 ] [ 1 ] [ 2 ] [ 3 ] …        each samples a token, which the next one reads
//! ```
//!
//! Where many are ahead, some share a readback: the more, the seldomer the browser looks.
//!
//! After an end token the device changes nothing more (`shaders/sample/advance.wgsl`). Where a reply ends by something that only
//! the host knows, what ran ahead is rewound.

use super::buffers::{BufferId, CANDIDATES, RANDOM_LEN, RECENT, SAMPLED_WORDS, TOKENS_MAX};
use super::kernels::{Draw, Size};
use super::readback::Readback;
use super::{Gpu, Work};
use crate::error::Result;
use crate::plan::{Batch, Outputs};
use crate::protocol::Sampling;
use crate::sampler::{Sampler, UniformDraws};
use std::collections::VecDeque;

/// Steps that are under way while the host waits for the next token, at least and at most. Some browsers look only now and then
/// whether the device is done, so one would not do; and a reply that ends has as many in vain.
const AHEAD: std::ops::RangeInclusive<usize> = 4..=64;
/// They are read back in so many parts.
const READBACKS: usize = 4;
/// End tokens that the device knows; also in `shaders/sample/settings.wgsl`.
const END_TOKENS: usize = 8;
/// In the place of an end token: none.
const NO_TOKEN: u32 = u32::MAX;

/// A reply in progress.
#[derive(Debug)]
pub(super) struct DecodeAhead {
    /// The token that the host was given last, and its sampler as it is once that is accepted.
    expected: Option<(u32, Sampler)>,
    /// Steps submitted so far, and at most.
    n_steps: usize,
    n_max: usize,
    /// Steps that are to be under way, of [`AHEAD`].
    ahead: usize,
    draw: Draw,
    random: UniformDraws,
    /// Where the tokens of submitted steps arrive, the oldest first.
    in_flight: VecDeque<Readback>,
    /// Tokens that came together with the one before, the oldest first.
    arrived: VecDeque<u32>,
}

impl Default for DecodeAhead {
    fn default() -> Self {
        Self {
            expected: None,
            n_steps: 0,
            n_max: 0,
            ahead: *AHEAD.start(),
            draw: Draw::default(),
            random: UniformDraws::new(0),
            in_flight: VecDeque::new(),
            arrived: VecDeque::new(),
        }
    }
}

impl DecodeAhead {
    /// Whether the next token is asked for as was foreseen: by the token before, and a sampler that has accepted it.
    fn is_followed_by(&self, tokens: &[u32], sampler: &Sampler) -> bool {
        self.expected.as_ref().is_some_and(|(token, expected)| tokens == [*token] && expected == sampler)
    }

    /// Tokens of the reply are nothing that anybody wants any more.
    pub(super) fn stop(&mut self) {
        *self = Self { ahead: self.ahead, ..Self::default() };
    }

    /// Tokens that are sampled, or will be, and that nobody has had yet.
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
    /// Whether the device can sample tokens in this way.
    pub fn can_sample(&self, sampling: &Sampling) -> bool {
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

    /// See [`crate::backend::Backend::next`].
    ///
    /// # Errors
    /// What the device says.
    pub async fn next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32> {
        let start = self.history.len();
        let token = self.sample_next(tokens, sampler).await;
        if token.is_err() {
            self.rewind(start);
        }
        token
    }

    async fn sample_next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32> {
        if !self.can_sample(sampler.sampling()) {
            let mut logits = self.forward(&Batch { tokens, outputs: Outputs::Last }).await?;
            return Ok(sampler.sample(&mut logits));
        }
        if self.history.n_ahead() > 0 && self.decode_ahead.is_followed_by(tokens, sampler) {
            self.history.catch_up(tokens[0]);
        } else {
            self.start_sampling(tokens, sampler).await?;
        }
        let token = self.next_token().await?;
        sampler.skip();
        if device_ends(sampler).contains(&token) {
            self.history.nothing_was_ahead();
            self.decode_ahead.stop();
        } else {
            let mut expected = sampler.clone();
            expected.accept(token);
            self.decode_ahead.expected = Some((token, expected));
        }
        Ok(token)
    }

    /// Reads tokens and begins to sample those that follow; they come by [`Self::next_token`].
    async fn start_sampling(&mut self, tokens: &[u32], sampler: &Sampler) -> Result<()> {
        let (before, last) = tokens.split_at((tokens.len() - 1) / TOKENS_MAX * TOKENS_MAX);
        self.forward(&Batch { tokens: before, outputs: Outputs::None }).await?;
        self.write_sampling(sampler);
        self.decode_ahead.n_max = sampler.n_left().max(1);
        self.decode_ahead.draw = self.draw_by(sampler.sampling());
        self.decode_ahead.random = sampler.random();
        let batch = Batch { tokens: last, outputs: Outputs::Last };
        self.submit_steps(1, Work::BatchAndSample(&batch), last.len());
        self.history.extend(last);
        self.device.check()
    }

    /// The next token. The step that reads it has been submitted, if there is room for it in the cache.
    async fn next_token(&mut self) -> Result<u32> {
        loop {
            let DecodeAhead { n_steps, n_max, ahead, .. } = self.decode_ahead;
            let n = (ahead / READBACKS).min(self.n_ctx - self.position()).min(n_max - n_steps);
            if n == 0 || self.decode_ahead.n_ahead() + n > ahead + 1 {
                break;
            }
            self.submit_steps(n, Work::Sample, 1);
        }
        if self.decode_ahead.arrived.is_empty() {
            self.receive().await?;
        }
        Ok(self.decode_ahead.arrived.pop_front().expect("a reply was begun, and has room"))
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

    /// Submits steps that read as many tokens each, and asks for all tokens that they sample.
    fn submit_steps(&mut self, n: usize, work: Work<'_>, n_tokens: usize) {
        let mut readback = self.idle.pop().unwrap_or_default();
        readback.make_room(&self.device, n * size_of::<u32>());
        for _ in 0..n {
            if self.decode_ahead.n_steps.is_multiple_of(RANDOM_LEN) {
                let random: Vec<f32> = self.decode_ahead.random.by_ref().take(RANDOM_LEN).collect();
                self.write(BufferId::Random, bytemuck::cast_slice(&random));
            }
            let size = Size { start: self.position(), n_tokens, n_outputs: 1, draw: self.decode_ahead.draw };
            self.submit(&size, work, &mut readback);
            if let Work::Sample = work {
                self.history.run_ahead(1);
            }
            self.decode_ahead.n_steps += 1;
        }
        readback.ask();
        self.decode_ahead.in_flight.push_back(readback);
    }

    /// Waits for the oldest tokens in flight.
    async fn receive(&mut self) -> Result<()> {
        let decode_ahead = &mut self.decode_ahead;
        let mut readback = decode_ahead.in_flight.pop_front().expect("a reply was begun, and has room");
        let had_to_wait = !readback.is_answered();
        let tokens: Vec<u32> = readback.take(&self.device).await?;
        // At the end of a reply nothing is left to tell from.
        if had_to_wait && !decode_ahead.in_flight.is_empty() {
            let n_done = decode_ahead.in_flight.iter().filter(|readback| readback.is_answered()).count();
            decode_ahead.ahead = paced(decode_ahead.ahead, n_done, decode_ahead.in_flight.len());
        }
        self.counters.n_reads += 1;
        self.counters.read_bytes += tokens.len() * size_of::<u32>();
        decode_ahead.arrived.extend(tokens);
        self.idle.push(readback);
        Ok(())
    }

    /// Waits for what is under way, and forgets what comes of it.
    ///
    /// # Errors
    /// What the device says.
    pub async fn wait_idle(&mut self) -> Result<()> {
        while !self.prefill_in_flight.is_empty() {
            self.receive_prefill().await?;
        }
        while let Some(mut readback) = self.decode_ahead.in_flight.pop_front() {
            readback.take::<u32>(&self.device).await?;
            self.idle.push(readback);
        }
        self.decode_ahead.stop();
        Ok(())
    }

    fn write_sampling(&mut self, sampler: &Sampler) {
        let sampling = sampler.sampling();
        let last_n = sampling.penalty_last_n.clamp(1, u32::try_from(RECENT).expect("it is small"));
        let mut settings = vec![
            sampling.temperature.to_bits(),
            u32::try_from(self.top_k(sampling)).expect("vocabularies are small"),
            sampling.top_p.to_bits(),
            if sampling.min_p > 0.0 { sampling.min_p.min(1.0).ln() } else { f32::MIN }.to_bits(),
            sampling.repeat_penalty.to_bits(),
            sampling.frequency_penalty.to_bits(),
            sampling.presence_penalty.to_bits(),
            last_n,
        ];
        let end_tokens = device_ends(sampler).iter().copied();
        settings.extend(end_tokens.chain(std::iter::repeat(NO_TOKEN)).take(END_TOKENS));
        let recent = sampler.recent();
        let recent = &recent[recent.len().saturating_sub(last_n as usize)..];
        let n_recent = u32::try_from(recent.len()).expect("it is small");
        let mut drawn = vec![0; SAMPLED_WORDS];
        drawn[2] = n_recent;
        drawn.extend_from_slice(recent);
        self.write(BufferId::Settings, bytemuck::cast_slice(&settings));
        self.write(BufferId::Sampled, bytemuck::cast_slice(&drawn));
    }

    fn write(&mut self, buffer: BufferId, bytes: &[u8]) {
        self.device.queue.write_buffer(self.memory.buffer(buffer), 0, bytes);
        self.counters.n_writes += 1;
        self.counters.written_bytes += bytes.len();
    }
}

/// The end tokens that the device knows; of a model with more, the host sees the others.
fn device_ends(sampler: &Sampler) -> &[u32] {
    let ends = sampler.end_tokens();
    &ends[..ends.len().min(END_TOKENS)]
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
        use crate::gpu::{Device, Options};
        use crate::plan::{Plan, Weight, op};
        use crate::quant::Codec;
        use crate::quant::random_blocks;

        let (n_vocab, width, n_ctx) = (1000, 32, 100);
        let mut plan = Plan::default();
        let weight = plan.weight("embedding", n_vocab, width);
        let (x, last) = (plan.buf("x", width), plan.output_buf("last", width));
        let logits = plan.output_buf("logits", n_vocab);
        plan.push(op::Embed { weight, scale: 1.0, dst: x });
        plan.push(op::TakeOutputs { x, dst: last });
        plan.push(op::MatMul { x: last, weight, bias: None, scale: 1.0, dst: logits });
        plan.logits = Some(logits);
        let device =
            pollster::block_on(Device::open(Options::default())).expect("a GPU, or a program that acts as one");
        let mut gpu = Gpu::new(device, plan, vec![Codec::F32], n_ctx).expect("it fits");
        gpu.put(Weight(0), 0, &random_blocks(Codec::F32, n_vocab * width, 1));
        gpu.decode_ahead.ahead = ahead;

        let sampling = Sampling { temperature: 1.0, top_k: 40, seed: Some(1), ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, 1).limited(&[], n_ctx - 1);
        let mut tokens = vec![1];
        for i in 0..n_ctx - 1 {
            let token = pollster::block_on(gpu.next(&[tokens[i]], &mut sampler)).expect("it runs");
            sampler.accept(token);
            tokens.push(token);
        }
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
