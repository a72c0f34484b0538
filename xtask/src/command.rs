//! Other programs, and steps that say their name and how long they took.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::folders::shared_target_dir;
use crate::folders::target_dir;

/// Runs `work` between two lines: its name, and how it ended after how long.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("▸ {name}");
    let start = Instant::now();
    let result = work();
    let mark = if result.is_ok() { "✓" } else { "✗" };
    println!("{mark} {name}  {}", seconds(start.elapsed()));
    result
}

/// How long each step took.
#[derive(Default)]
pub(crate) struct Times(Vec<(&'static str, Duration)>);

impl Times {
    /// [`step`], and keeps its time.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        let result = step(name, work);
        self.0.push((name, start.elapsed()));
        result
    }

    /// Prints a table, and writes it as JSON, seconds by step, to `target/NAME-times.json`.
    pub(crate) fn report(&self, name: &str) -> Result<()> {
        println!();
        for (step, elapsed) in &self.0 {
            println!("  {step:<24} {:>8.1} s", elapsed.as_secs_f64());
        }
        let total: Duration = self.0.iter().map(|(_, elapsed)| *elapsed).sum();
        println!("  {:<24} {:>8.1} s", "together", total.as_secs_f64());
        let secs: serde_json::Map<String, serde_json::Value> =
            self.0.iter().map(|(step, elapsed)| ((*step).to_owned(), elapsed.as_secs_f64().into())).collect();
        let path = target_dir().join(format!("{name}-times.json"));
        std::fs::create_dir_all(target_dir())?;
        std::fs::write(&path, serde_json::to_string_pretty(&secs)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("  in {}", path.display());
        Ok(())
    }
}

/// Does the same to each of these, to all of them at the same time; fails if it failed for one.
pub(crate) fn at_once<T: Send>(items: impl IntoIterator<Item = T>, act: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || act(item))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread returns its errors"))
    })
}

/// A duration as people read it.
pub(crate) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1} s", elapsed.as_secs_f32()),
        secs => format!("{} min {} s", secs / 60, secs % 60),
    }
}

/// Runs a program with its output on ours; anything but success is an error that shows the line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("  $ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("{line}\n       ended with {status}");
    }
    Ok(())
}

/// What a program prints, trimmed; `None` if it is not there or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `Command::new(program)` with arguments, in one expression.
pub(crate) fn command<const N: usize>(program: impl AsRef<OsStr>, args: [&str; N]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    if let Some(folder) = shared_target_dir() {
        command.env("CARGO_TARGET_DIR", folder);
    }
    command
}

/// `PATH` with the folder of `program` first.
pub(crate) fn path_starting_with(program: &Path) -> Result<OsString> {
    let folder = program.parent().filter(|folder| !folder.as_os_str().is_empty());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folder.map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context("PATH cannot be extended")
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
