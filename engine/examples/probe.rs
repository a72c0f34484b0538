//! `probe MODEL.gguf PROMPTS.json OUT.json --backend reference|cpu|gpu [--cache f16|q8_0] [--greedy N]`: what a model thinks of some texts.
//!
//! PROMPTS is an array of strings. OUT is an array of `{prompt, tokens, top, greedy, text}`: the prompt's tokens; for
//! every position, the 20 most likely next tokens with their probabilities; N tokens of greedy continuation; its text.

#[path = "common/open.rs"]
mod open;

use engine::backend::Backend;
use engine::error::{Error, ErrorKind, Result};
use engine::plan::{Batch, Outputs};
use engine::tokenizer::{Encode, Tokenizer};
use open::Opened;
use serde::Serialize;
use std::process::ExitCode;

/// How many of the most likely tokens are told.
const TOP: usize = 20;
/// Tokens read at once.
const CHUNK: usize = 128;
/// The context: enough for any prompt of the golden set.
const N_CTX: usize = 4096;

#[derive(Serialize)]
struct Answer {
    prompt: String,
    tokens: Vec<u32>,
    top: Vec<Vec<(u32, f32)>>,
    greedy: Vec<u32>,
    text: String,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let [model, prompts, out, ..] = &args[..] else {
        return Err(usage(
            "probe MODEL.gguf PROMPTS.json OUT.json --backend reference|cpu|gpu [--cache f16|q8_0] [--greedy N]",
        ));
    };
    let cache_type = open::cache_type(option("--cache").map_or("f16", |name| name))?;
    let kind = open::backend_kind(option("--backend").map_or("cpu", |name| name), cache_type)?;
    let n_greedy = option("--greedy").map_or(Ok(0), |n| n.parse().map_err(|_| usage("--greedy takes a number")))?;
    let text = std::fs::read(prompts)
        .map_err(|e| Error::new(ErrorKind::NotFound, format!("{prompts} cannot be read: {e}")))?;
    let prompts: Vec<String> = serde_json::from_slice(&text)
        .map_err(|e| Error::new(ErrorKind::Invalid, format!("{prompts} is not an array of strings: {e}")))?;
    let Opened { gguf, mut backend, .. } = open::model(model, kind, N_CTX)?;
    let tokenizer = Tokenizer::new(&gguf.metadata)?;
    let answers = prompts.into_iter().map(|prompt| answer(&mut backend, &tokenizer, prompt, n_greedy));
    let answers: Vec<Answer> = answers.collect::<Result<_>>()?;
    let json = serde_json::to_vec(&answers).expect("numbers and strings are JSON");
    std::fs::write(out, json).map_err(|e| Error::new(ErrorKind::Storage, format!("{out}: {e}")))
}

fn usage(text: &str) -> Error {
    Error::new(ErrorKind::Invalid, text)
}

fn answer(backend: &mut Backend, tokenizer: &Tokenizer, prompt: String, n_greedy: usize) -> Result<Answer> {
    let tokens = tokenizer.encode(&prompt, Encode { special: true, bos: true });
    if tokens.len() + n_greedy > N_CTX {
        return Err(Error::new(ErrorKind::ContextFull, format!("a prompt of {} tokens is too long", tokens.len())));
    }
    let mut top = Vec::new();
    let mut next = None;
    backend.rewind(0);
    for chunk in tokens.chunks(CHUNK) {
        let batch = Batch { tokens: chunk, outputs: Outputs::All };
        let logits = pollster::block_on(backend.forward(&batch))?;
        top.extend(logits.chunks_exact(logits.len() / chunk.len()).map(most_likely));
        next = top.last().and_then(|top| top.first()).map(|(token, _)| *token);
    }
    let mut greedy = Vec::new();
    while let Some(token) = next.filter(|token| greedy.len() < n_greedy && !tokenizer.is_end(*token)) {
        let batch = Batch { tokens: &[token], outputs: Outputs::Last };
        greedy.push(token);
        next = most_likely(&pollster::block_on(backend.forward(&batch))?).first().map(|(token, _)| *token);
    }
    let text = tokenizer.decode(&greedy, true);
    Ok(Answer { prompt, tokens, top, greedy, text })
}

/// The most likely tokens and their probabilities, most likely first.
#[expect(clippy::cast_possible_truncation, reason = "a vocabulary's ids are u32")]
fn most_likely(logits: &[f32]) -> Vec<(u32, f32)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]);
    let n = TOP.min(tokens.len());
    if n < tokens.len() {
        tokens.select_nth_unstable_by(n, by_logit);
    }
    tokens.truncate(n);
    tokens.sort_unstable_by(by_logit);
    tokens.into_iter().map(|t| (t, (f64::from(logits[t as usize] - max).exp() / sum) as f32)).collect()
}
