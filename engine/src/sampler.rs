//! Logits in, one token out: penalties → top-k → top-p → min-p → temperature → draw.
//!
//! Order and meaning are those of llama.cpp's default chain, so that numbers copied from a model card do the same here:
//! the filters look at the model's own distribution, and temperature only reshapes what they left.
//! <https://github.com/ggml-org/llama.cpp/blob/b6527/common/sampling.cpp>

use crate::protocol::Sampling;
use crate::rng::Rng;
use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The first guess at how many tokens top-p keeps; a wrong one costs another pass over the vocabulary.
const TOP_P_GUESS: usize = 128;

/// So few candidates are drawn from in their order, more in the order of their ids, so that every sampler draws alike.
const SORTED_MAX: usize = 64;

/// Samples the tokens of one reply; remembers the last ones for the penalties, and where the reply ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    sampling: Sampling,
    rng: Rng,
    /// The last `penalty_last_n` tokens, oldest first.
    recent: VecDeque<u32>,
    end_tokens: Arc<[u32]>,
    /// Tokens that are still wanted.
    n_left: usize,
}

/// Random numbers of [0, 1), one a token, without end.
#[derive(Debug, Clone)]
pub struct UniformDraws(Rng);

impl UniformDraws {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(Rng::new(seed))
    }
}

impl Iterator for UniformDraws {
    type Item = f32;

    #[expect(clippy::cast_possible_truncation, reason = "f32 is what a device computes in")]
    fn next(&mut self) -> Option<f32> {
        Some((self.0.unit() as f32).min(1.0 - f32::EPSILON))
    }
}

/// A token that can still be drawn. Ordered by logit, then by id, so that equal logits are drawn alike everywhere.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    logit: f32,
    token: u32,
}

impl Sampler {
    /// A sampler that draws by `seed`; the one in `sampling` is the caller's to look at.
    pub fn new(sampling: &Sampling, seed: u64) -> Self {
        let (recent, end_tokens) = (VecDeque::new(), Arc::default());
        Self { sampling: sampling.clone(), rng: Rng::new(seed), recent, end_tokens, n_left: usize::MAX }
    }

    /// The same, for a reply that ends with one of these tokens, or after `n_max`: whoever decodes ahead need not go further.
    pub fn limited(self, end_tokens: &[u32], n_max: usize) -> Self {
        Self { end_tokens: end_tokens.into(), n_left: n_max, ..self }
    }

    /// Tokens that end the reply.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// Tokens that are still wanted at most.
    pub fn n_left(&self) -> usize {
        self.n_left
    }

    /// Remembers a token of the prompt or of the reply for the penalties.
    pub fn accept(&mut self, token: u32) {
        let last_n = self.sampling.penalty_last_n as usize;
        if last_n == 0 {
            return;
        }
        if self.recent.len() == last_n {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
    }

    /// How it draws.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// The tokens that penalties look at, oldest first.
    pub fn recent(&self) -> Vec<u32> {
        self.recent.iter().copied().collect()
    }

    /// What the next tokens will be sampled with: for someone else who samples as this one would.
    pub fn random(&self) -> UniformDraws {
        UniformDraws(self.rng.clone())
    }

    /// Takes note that someone else sampled a token with the next of the [`Self::random`] numbers.
    pub fn skip(&mut self) {
        self.n_left = self.n_left.saturating_sub(1);
        if self.sampling.temperature > 0.0 {
            self.rng.unit();
        }
    }

    /// Draws the next token, without accepting it. `logits` has one entry a token of the vocabulary and is changed.
    ///
    /// A NaN counts as impossible; where nothing is possible, anything is.
    pub fn sample(&mut self, logits: &mut [f32]) -> u32 {
        self.n_left = self.n_left.saturating_sub(1);
        self.penalize(logits);
        if self.sampling.temperature <= 0.0 || self.sampling.temperature.is_nan() {
            return most_likely(logits).token;
        }
        let kept = self.keep(logits);
        self.draw(&kept)
    }

    fn penalize(&self, logits: &mut [f32]) {
        let Sampling { repeat_penalty, frequency_penalty, presence_penalty, .. } = self.sampling;
        if repeat_penalty == 1.0 && frequency_penalty == 0.0 && presence_penalty == 0.0 {
            return;
        }
        let mut counts = HashMap::new();
        for &token in &self.recent {
            *counts.entry(token).or_insert(0.0f32) += 1.0;
        }
        for (token, count) in counts {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / repeat_penalty } else { *logit * repeat_penalty };
            *logit -= count * frequency_penalty + presence_penalty;
        }
    }

    /// What top-k, top-p and min-p leave.
    fn keep(&self, logits: &[f32]) -> Vec<Candidate> {
        let Sampling { top_k, top_p, min_p, .. } = self.sampling;
        let k = if top_k == 0 { logits.len() } else { logits.len().min(top_k as usize) };
        let mut kept = if top_p < 1.0 { top_p_of(logits, k, top_p) } else { top(logits, k) };
        if k <= SORTED_MAX {
            kept.sort_unstable();
        } else {
            kept.sort_unstable_by_key(|c| c.token);
        }
        if min_p > 0.0 {
            let least = most_likely_of(&kept).logit + min_p.min(1.0).ln();
            kept.retain(|c| c.logit >= least);
        }
        kept
    }

    fn draw(&mut self, kept: &[Candidate]) -> u32 {
        let max = most_likely_of(kept);
        let scale = 1.0 / self.sampling.temperature;
        let weights: Vec<f32> = kept.iter().map(|c| ((c.logit - max.logit) * scale).exp()).collect();
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let mut rest = self.rng.unit() * total;
        for (candidate, weight) in kept.iter().zip(weights) {
            rest -= f64::from(weight);
            if rest < 0.0 {
                return candidate.token;
            }
        }
        // Only rounding leads here.
        max.token
    }
}

fn candidates(logits: &[f32]) -> impl Iterator<Item = Candidate> {
    (0..).zip(logits).map(|(token, &logit)| Candidate { token, logit: finite(logit) })
}

/// Differences of logits must not be NaN: the largest numbers stand for the infinities, the smallest for NaN.
fn finite(logit: f32) -> f32 {
    if logit.is_nan() { f32::MIN } else { logit.clamp(f32::MIN, f32::MAX) }
}

fn most_likely(logits: &[f32]) -> Candidate {
    candidates(logits).min().unwrap_or(Candidate { logit: 0.0, token: 0 })
}

fn most_likely_of(kept: &[Candidate]) -> Candidate {
    kept.iter().copied().min().unwrap_or(Candidate { logit: 0.0, token: 0 })
}

/// The sum of the likelihoods, as multiples of the largest.
fn mass(logits: impl Iterator<Item = f32>, max: f32) -> f64 {
    logits.map(|logit| f64::from((logit - max).exp())).sum()
}

/// The `k` most likely tokens, in any order.
///
/// One pass: whatever beats the worst of the best so far is collected, and the collection is cut to `k` when it has grown
/// to twice that. A vocabulary is long and almost all of it is far behind, so it is looked at in strides.
fn top(logits: &[f32], k: usize) -> Vec<Candidate> {
    const STRIDE: usize = 32;
    if k >= logits.len() {
        return candidates(logits).collect();
    }
    let mut best: Vec<Candidate> = Vec::with_capacity(2 * k + STRIDE);
    let mut worst = f32::NEG_INFINITY;
    for (first, stride) in (0..).step_by(STRIDE).zip(logits.chunks(STRIDE)) {
        // An equal logit that comes later has the higher id, so it loses. A NaN beats nothing.
        if best.len() >= k && !stride.iter().fold(false, |any, &logit| any | (logit > worst)) {
            continue;
        }
        best.extend(candidates(stride).map(|c| Candidate { token: first + c.token, ..c }).filter(|c| c.logit > worst));
        if best.len() >= 2 * k {
            worst = best.select_nth_unstable(k - 1).1.logit;
            best.truncate(k);
        }
    }
    if best.len() > k {
        best.select_nth_unstable(k - 1);
        best.truncate(k);
    }
    best
}

/// The fewest of the `k` most likely tokens that together reach `share` of their sum.
fn top_p_of(logits: &[f32], k: usize, share: f32) -> Vec<Candidate> {
    let mut n = k.min(TOP_P_GUESS);
    let mut kept = top(logits, n);
    let max = most_likely_of(&kept).logit;
    let total = if n == k {
        mass(kept.iter().map(|c| c.logit), max)
    } else if k == logits.len() {
        mass(logits.iter().map(|&logit| finite(logit)), max)
    } else {
        mass(top(logits, k).iter().map(|c| c.logit), max)
    };
    loop {
        kept.sort_unstable();
        let mut sum = 0.0;
        let reached = kept.iter().position(|c| {
            sum += f64::from((c.logit - max).exp());
            sum >= total * f64::from(share)
        });
        match reached {
            Some(last) => kept.truncate(last + 1),
            None if n < k => {
                n = k.min(16 * n);
                kept = top(logits, n);
                continue;
            }
            None => {}
        }
        return kept;
    }
}

impl Ord for Candidate {
    /// The most likely first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "they are small numbers")]
mod tests {
    use super::*;

    const NEUTRAL: Sampling = Sampling {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        penalty_last_n: 64,
        seed: None,
    };

    /// Normally distributed, as logits roughly are, with `spread` as the standard deviation.
    fn random_logits(n_vocab: usize, spread: f32, seed: u64) -> Vec<f32> {
        let mut rng = Rng::new(seed);
        let mut normal = || (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0;
        (0..n_vocab).map(|_| normal() as f32 * spread).collect()
    }

    /// The definition: every step written out over the whole sorted vocabulary. Returns a probability for every token.
    fn definition(logits: &[f32], sampling: &Sampling, recent: &[u32]) -> Vec<f64> {
        let mut logits: Vec<f64> = logits.iter().map(|&l| f64::from(l)).collect();
        for (token, logit) in logits.iter_mut().enumerate() {
            let count = recent.iter().filter(|&&t| t as usize == token).count() as f64;
            if count > 0.0 {
                let penalty = f64::from(sampling.repeat_penalty);
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
                *logit -= count * f64::from(sampling.frequency_penalty) + f64::from(sampling.presence_penalty);
            }
        }
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        if sampling.top_k > 0 {
            order.truncate(sampling.top_k as usize);
        }
        let p = softmax(&order, &logits, 1.0);
        let mut sum = 0.0;
        let n_top_p = order.iter().position(|&t| {
            sum += p[t];
            sum >= f64::from(sampling.top_p) && sampling.top_p < 1.0
        });
        order.truncate(n_top_p.map_or(order.len(), |n| n + 1));
        let p = softmax(&order, &logits, 1.0);
        let best = p[order[0]];
        order.retain(|&t| p[t] >= best * f64::from(sampling.min_p));
        softmax(&order, &logits, f64::from(sampling.temperature))
    }

    fn softmax(order: &[usize], logits: &[f64], temperature: f64) -> Vec<f64> {
        let mut p = vec![0.0; logits.len()];
        let total: f64 = order.iter().map(|&t| ((logits[t] - logits[order[0]]) / temperature).exp()).sum();
        for &t in order {
            p[t] = ((logits[t] - logits[order[0]]) / temperature).exp() / total;
        }
        p
    }

    /// Draws often, and compares the counts with the definition: no token that it excludes, and a chi-square no larger
    /// than six standard deviations over its mean.
    #[track_caller]
    fn check(sampling: Sampling, logits: &[f32], recent: &[u32]) {
        const N_DRAWS: usize = 3000;
        let expected = definition(logits, &sampling, recent);
        let mut sampler = Sampler::new(&sampling, 7);
        recent.iter().for_each(|&token| sampler.accept(token));
        let mut counts = vec![0usize; logits.len()];
        for _ in 0..N_DRAWS {
            counts[sampler.sample(&mut logits.to_vec()) as usize] += 1;
        }

        let (mut chi_square, mut n_cells, mut rare, mut n_rare) = (0.0, 0.0, 0.0, 0.0);
        for (token, (&n, &p)) in counts.iter().zip(&expected).enumerate() {
            assert!(p > 0.0 || n == 0, "token {token} is excluded, but was drawn {n} times: {sampling:?}");
            let wanted = p * N_DRAWS as f64;
            if wanted < 5.0 {
                rare += wanted;
                n_rare += n as f64;
            } else {
                chi_square += (n as f64 - wanted).powi(2) / wanted;
                n_cells += 1.0;
            }
        }
        if rare >= 5.0 {
            chi_square += (n_rare - rare).powi(2) / rare;
            n_cells += 1.0;
        }
        let bound = n_cells + 6.0 * f64::sqrt(2.0 * n_cells);
        assert!(chi_square <= bound, "chi-square {chi_square:.1} > {bound:.1} over {n_cells} cells: {sampling:?}");
    }

    #[test]
    fn each_knob_is_its_definition() {
        let few = random_logits(50, 2.0, 1);
        let many = random_logits(1000, 3.0, 2);
        let recent = [3, 3, 7, 49, 7, 3];
        for logits in [&few, &many] {
            check(NEUTRAL, logits, &[]);
            check(Sampling { temperature: 0.6, ..NEUTRAL }, logits, &[]);
            check(Sampling { temperature: 1.7, ..NEUTRAL }, logits, &[]);
            for top_k in [1, 2, 20, 49, 50, 51, 5000] {
                check(Sampling { top_k, ..NEUTRAL }, logits, &[]);
            }
            for top_p in [0.0, 0.1, 0.5, 0.9, 0.999] {
                check(Sampling { top_p, ..NEUTRAL }, logits, &[]);
            }
            for min_p in [0.01, 0.1, 0.5, 1.0] {
                check(Sampling { min_p, ..NEUTRAL }, logits, &[]);
            }
            check(Sampling { repeat_penalty: 1.5, ..NEUTRAL }, logits, &recent);
            check(Sampling { frequency_penalty: 0.7, ..NEUTRAL }, logits, &recent);
            check(Sampling { presence_penalty: 1.5, ..NEUTRAL }, logits, &recent);
            check(Sampling { repeat_penalty: 0.8, frequency_penalty: -0.3, ..NEUTRAL }, logits, &recent);
        }
    }

    #[test]
    fn knobs_together() {
        let logits = random_logits(2000, 3.0, 3);
        check(Sampling::default(), &logits, &[]);
        check(Sampling { top_k: 100, top_p: 0.8, min_p: 0.02, temperature: 1.3, ..NEUTRAL }, &logits, &[]);
        check(Sampling { top_p: 0.95, min_p: 0.1, temperature: 0.5, repeat_penalty: 1.1, ..NEUTRAL }, &logits, &[5, 6]);
    }

    #[test]
    fn only_the_last_tokens_are_penalized() {
        let sampling = Sampling { temperature: 0.0, presence_penalty: 10.0, penalty_last_n: 2, ..NEUTRAL };
        let mut sampler = Sampler::new(&sampling, 0);
        let logits = [5.0, 4.0, 3.0, 2.0];
        let drawn: Vec<u32> = (0..6)
            .map(|_| {
                let token = sampler.sample(&mut logits.clone());
                sampler.accept(token);
                token
            })
            .collect();
        assert_eq!(drawn, [0, 1, 2, 0, 1, 2]);

        let mut forgetful = Sampler::new(&Sampling { penalty_last_n: 0, ..sampling }, 0);
        forgetful.accept(0);
        assert_eq!(forgetful.sample(&mut logits.clone()), 0);
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        for temperature in [0.0, -1.0, f32::NAN] {
            let mut sampler = Sampler::new(&Sampling { temperature, ..NEUTRAL }, 0);
            assert_eq!(sampler.sample(&mut [1.0, 3.0, 2.0, 3.0]), 1);
        }
    }

    #[test]
    fn same_seed_same_draws() {
        let logits = random_logits(100, 1.0, 4);
        let draws = |seed| {
            let mut sampler = Sampler::new(&NEUTRAL, seed);
            (0..50).map(|_| sampler.sample(&mut logits.clone())).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn no_number_panics() {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, 1.0];
        let mut rng = Rng::new(5);
        for _ in 0..5000 {
            let mut pick = || odd[rng.below(odd.len())];
            let sampling = Sampling {
                temperature: pick(),
                top_p: pick(),
                min_p: pick(),
                repeat_penalty: pick(),
                frequency_penalty: pick(),
                presence_penalty: pick(),
                top_k: 3,
                ..NEUTRAL
            };
            let mut logits: Vec<f32> = (0..8).map(|_| pick()).collect();
            for top_k in [0, 1, 3, 8] {
                let mut sampler = Sampler::new(&Sampling { top_k, ..sampling.clone() }, 1);
                sampler.accept(2);
                assert!(sampler.sample(&mut logits) < 8);
            }
        }
        assert_eq!(Sampler::new(&NEUTRAL, 0).sample(&mut []), 0);
        assert_eq!(Sampler::new(&NEUTRAL, 0).sample(&mut [f32::NEG_INFINITY, 1.0, f32::NAN]), 1);
    }

    #[test]
    fn top_is_the_head_of_the_sorted_vocabulary() {
        for (n_vocab, k) in [(2, 1), (100, 1), (100, 7), (100, 99), (1000, 40)] {
            // Few distinct values, so that ties are common.
            let logits: Vec<f32> = random_logits(n_vocab, 3.0, k as u64).iter().map(|l| l.round()).collect();
            let mut sorted: Vec<Candidate> = candidates(&logits).collect();
            sorted.sort();
            let mut best = top(&logits, k);
            best.sort();
            assert_eq!(best, sorted[..k]);
        }
    }
}
