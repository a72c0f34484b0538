//! `cargo xtask …`: everything that is done with this repository, in one program.
#![expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]

mod cache;
mod check;
mod command;
mod dist;
mod doctor;
mod folders;
mod kernel_stats;
mod models;
mod profile;
mod report;
mod scripts;
mod serve;
mod test;
#[cfg(test)]
mod tidy;
mod tools;
mod variants;
mod wasm;
mod wasm_opt;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::profile::Build;
use crate::test::Tier;

const USAGE: &str = "\
cargo xtask COMMAND

  run [--port 8080] [--no-build]   build the page and serve it on this machine
  check                            while a change is made: format, lints, and what tests need no GPU and no browser
  test [--full]                    everything that must pass: format, lints, native, wasm and browser tests; with --full
                                   every variant, prompt and adapter too, on the site as it is shipped
  dist                             build the static site into dist/
  models [NAME…]                   fetch the models that the page and the tests use into models/
  bench [FLAGS…]                   measure speed in a browser; the flags are those of e2e/bench.mjs
  bench --report                   make docs/benchmarks.md of the recorded rows
  kernel-stats PROGRAM             make docs/kernels.csv with a program that compiles for GPUs (docs/kernels.md)
  golden                           make the golden files again with llama.cpp
  doctor                           say what is installed, what is missing and how to get it

What is missing is installed where that is possible, and named where it is not.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    std::env::set_current_dir(folders::root()).expect("the repository is where this program was built");
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        println!("{USAGE}");
        return Ok(());
    };
    match (command.as_str(), rest) {
        ("run", _) => serve::run(&serve::Options::parse(rest)?),
        ("check", []) => check::run(),
        ("test", []) => test::run(Tier::Landing),
        ("test", [flag]) if flag == "--full" => test::run(Tier::Full),
        ("dist", []) => dist::build(Build::Shipped),
        ("models", names) => models::fetch_named(names),
        ("bench", [flag]) if flag == "--report" => report::write(),
        ("bench", _) => scripts::bench(rest),
        ("kernel-stats", [program]) => kernel_stats::write(program),
        ("golden", []) => scripts::golden(),
        ("doctor", []) => doctor::run(),
        ("help" | "--help" | "-h", _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("cargo xtask {} is not a command\n\n{USAGE}", args.join(" ")),
    }
}
