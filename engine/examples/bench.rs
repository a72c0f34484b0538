//! `bench MODEL.gguf [--backend cpu|gpu|gpu-plain|gpu-dots|reference] [--cache f16|q8_0] [--prompt N] [--gen N] [--depth N]
//! [--profile]`: tokens per second, and what a token costs the GPU, or what takes how long on the CPU.

#![expect(clippy::print_stdout, reason = "its whole purpose")]

#[path = "common/open.rs"]
mod open;

use engine::backend::Backend;
use engine::cpu::Cpu;
use engine::error::{Error, ErrorKind, Result};
use engine::plan::{Batch, Outputs};
use std::process::ExitCode;
use std::time::Instant;

/// Tokens read at once.
const CHUNK: usize = 128;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let number = |name: &str, default: usize| option(name).map_or(Ok(default), |n| n.parse().map_err(|_| usage()));
    let Some(model) = args.first() else { return Err(usage()) };
    let (n_prompt, n_gen, depth) = (number("--prompt", 128)?, number("--gen", 16)?, number("--depth", 0)?);
    let cache_type = open::cache_type(option("--cache").map_or("f16", |name| name))?;
    let kind = open::backend_kind(option("--backend").map_or("cpu", |name| name), cache_type)?;
    let start = Instant::now();
    let n_ctx = depth + n_prompt.max(n_gen + 1);
    let mut backend = open::model(model, kind, n_ctx)?.backend;
    println!("load {:.2} s", start.elapsed().as_secs_f64());
    if let Backend::Gpu(gpu) = &backend {
        println!("on {}: {}", gpu.device().name(), gpu.device().tier());
    }

    read(&mut backend, 0, depth)?;
    backend.checkpoint();
    // What is made once is made before.
    read(&mut backend, depth, n_prompt.min(CHUNK))?;
    let start = Instant::now();
    read(&mut backend, depth, n_prompt)?;
    println!("prompt {n_prompt}: {:.1} tokens/s", n_prompt as f64 / start.elapsed().as_secs_f64());

    write(&mut backend, depth, 1)?;
    let before = backend.counters();
    let start = Instant::now();
    write(&mut backend, depth, n_gen)?;
    println!("reply {n_gen} at {depth}: {:.2} tokens/s", n_gen as f64 / start.elapsed().as_secs_f64());
    if let (Some(before), Some(after)) = (before, backend.counters()) {
        println!("a token: {:#?}", after.cost_since(&before));
    }
    if let (Backend::Cpu(cpu), true) = (&mut backend, args.iter().any(|arg| arg == "--profile")) {
        profile(cpu, depth, n_prompt.clamp(1, CHUNK));
        profile(cpu, depth, 1);
    }
    Ok(())
}

/// Prints what takes how long for a batch of `n` tokens.
fn profile(cpu: &mut Cpu, start: usize, n: usize) {
    let tokens: Vec<u32> = (0..n).map(token).collect();
    cpu.rewind(start);
    println!("\n{}", cpu.profile(&Batch { tokens: &tokens, outputs: Outputs::Last }));
}

fn usage() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "bench MODEL.gguf [--backend NAME] [--cache f16|q8_0] [--prompt N] [--gen N] [--depth N] [--profile]",
    )
}

/// Reads `n` tokens from position `start` on.
fn read(backend: &mut Backend, start: usize, n: usize) -> Result<()> {
    let tokens: Vec<u32> = (0..n).map(token).collect();
    backend.rewind(start);
    for (i, tokens) in tokens.chunks(CHUNK).enumerate() {
        let is_last = (i + 1) * CHUNK >= n;
        let outputs = if is_last { Outputs::Last } else { Outputs::None };
        pollster::block_on(backend.forward(&Batch { tokens, outputs }))?;
    }
    Ok(())
}

/// Writes `n` tokens, one by one.
fn write(backend: &mut Backend, start: usize, n: usize) -> Result<()> {
    backend.rewind(start);
    for i in 0..n {
        let batch = Batch { tokens: &[token(i)], outputs: Outputs::Last };
        pollster::block_on(backend.forward(&batch))?;
    }
    Ok(())
}

/// Any tokens will do.
fn token(i: usize) -> u32 {
    u32::try_from(100 + i * 7 % 1000).expect("small")
}
