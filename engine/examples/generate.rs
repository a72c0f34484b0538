//! Chat with a model in a terminal.
//!
//! ```text
//! cargo run --release --example generate -- MODEL.gguf [--prompt TEXT] [--system TEXT] [--backend cpu|gpu|reference]
//!     [--cache f16|q8_0] [--temperature T] [--seed N] [--ctx N] [--max-tokens N] [--no-thinking]
//! ```
//!
//! Without a prompt, every line of the input is a message. Thoughts are dim; speeds go to the error output.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

#[path = "common/open.rs"]
mod open;

use engine::chat::Now;
use engine::error::{Error, ErrorKind, Result};
use engine::protocol::{Finish, GenerateOptions, Message, Role, Sampling};
use engine::session::{Session, Start, Step};
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

const USAGE: &str = "usage: generate MODEL.gguf [--prompt TEXT] [--system TEXT] [--backend cpu|gpu|reference] \
                     [--cache f16|q8_0] [--temperature T] [--seed N] [--ctx N] [--max-tokens N] [--no-thinking]";

/// What the command line says.
struct Arguments {
    model: String,
    prompt: Option<String>,
    system: Option<String>,
    backend: String,
    cache: String,
    n_ctx: usize,
    /// Messages aside, which come later.
    generate: GenerateOptions,
}

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments {
        model: String::new(),
        prompt: None,
        system: None,
        backend: "cpu".into(),
        cache: "f16".into(),
        n_ctx: 4096,
        generate: GenerateOptions {
            messages: Vec::new(),
            sampling: Sampling::default(),
            max_tokens: 0,
            thinking: true,
        },
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| wrong(format!("{word} needs a value")));
        match word.as_str() {
            "--prompt" => arguments.prompt = Some(value()?),
            "--system" => arguments.system = Some(value()?),
            "--backend" => arguments.backend = value()?,
            "--cache" => arguments.cache = value()?,
            "--temperature" => arguments.generate.sampling.temperature = number(&word, &value()?)?,
            "--seed" => arguments.generate.sampling.seed = Some(number(&word, &value()?)?),
            "--ctx" => arguments.n_ctx = number(&word, &value()?)?,
            "--max-tokens" => arguments.generate.max_tokens = number(&word, &value()?)?,
            "--no-thinking" => arguments.generate.thinking = false,
            _ if word.starts_with("--") => return Err(wrong(format!("{word} is not known"))),
            _ if arguments.model.is_empty() => arguments.model = word,
            _ => return Err(wrong(format!("{word:?} is one word too many"))),
        }
    }
    if arguments.model.is_empty() { Err(wrong("which model?")) } else { Ok(arguments) }
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what}\n{USAGE}"))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| wrong(format!("{name} cannot be {text:?}")))
}

fn run(arguments: Arguments) -> Result<()> {
    let kind = open::backend_kind(&arguments.backend, open::cache_type(&arguments.cache)?)?;
    let opened = open::model(&arguments.model, kind, arguments.n_ctx)?;
    let mut session = Session::new(&opened.gguf, opened.model, opened.backend)?;
    if let Some(name) = session.template().fallback_name() {
        eprintln!("The model has no chat template; {name} is used instead.");
    }
    let mut options = arguments.generate;
    options.messages.extend(arguments.system.map(|content| Message { role: Role::System, content }));
    if let Some(prompt) = arguments.prompt {
        return answer(&mut session, &mut options, prompt);
    }

    let is_terminal = std::io::stdin().is_terminal();
    loop {
        if is_terminal {
            print!("> ");
            flush();
        }
        let mut line = String::new();
        let n_bytes = std::io::stdin().lock().read_line(&mut line);
        if n_bytes.map_err(|e| Error::new(ErrorKind::Invalid, format!("The input cannot be read: {e}.")))? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            continue;
        }
        // A message that fails is forgotten, and the conversation goes on.
        if let Err(error) = answer(&mut session, &mut options, line.trim_end().to_string()) {
            eprintln!("{error}");
        }
    }
}

/// Asks, prints the reply as it comes, and adds both to the messages.
fn answer(session: &mut Session, options: &mut GenerateOptions, question: String) -> Result<()> {
    let n_before = options.messages.len();
    options.messages.push(Message { role: Role::User, content: question });
    match stream(session, options) {
        Ok(content) => {
            options.messages.push(Message { role: Role::Assistant, content });
            Ok(())
        }
        Err(error) => {
            options.messages.truncate(n_before);
            Err(error)
        }
    }
}

/// Prints the reply and its speeds; returns the answer without the thoughts.
fn stream(session: &mut Session, options: &GenerateOptions) -> Result<String> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Now { unix_secs: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX), utc_offset_secs: 0 };
    let seed = options.sampling.seed.unwrap_or(u64::from(since_1970.subsec_nanos()));
    let found = session.start(options, seed, now)?;
    if found.n_dropped > 0 {
        eprintln!("The conversation no longer fits; its oldest {} messages are left out.", found.n_dropped);
    }

    let has_colors = std::io::stdout().is_terminal();
    let mut answer = String::new();
    let (started, mut prompt_secs) = (Instant::now(), 0.0);
    let mut n_reply = 0;
    let finish = loop {
        match pollster::block_on(session.step())? {
            Step::Prompt { .. } => prompt_secs = started.elapsed().as_secs_f64(),
            Step::Text { text, thought: true } if has_colors => print!("\x1b[2m{text}\x1b[0m"),
            Step::Text { text, thought } => {
                print!("{text}");
                if !thought {
                    answer.push_str(&text);
                }
            }
            Step::Done(finish) => break finish,
        }
        n_reply = session.n_reply();
        flush();
    };
    println!();
    report(found, prompt_secs, n_reply, started.elapsed().as_secs_f64() - prompt_secs, finish);
    Ok(answer)
}

fn report(found: Start, prompt_secs: f64, n_reply: usize, reply_secs: f64, finish: Finish) {
    let n_read = found.n_prompt - found.n_cached;
    let why = match finish {
        Finish::End => "",
        Finish::Length => ", cut at --max-tokens",
        Finish::ContextFull => ", cut at the end of the context",
        Finish::Stopped => ", stopped",
    };
    eprintln!(
        "[prompt: {n_read} tokens, {:.1}/s, {} cached; reply: {n_reply} tokens, {:.1}/s{why}]",
        n_read as f64 / prompt_secs,
        found.n_cached,
        n_reply as f64 / reply_secs,
    );
}

fn flush() {
    // A closed pipe ends the program at the next print.
    let _ = std::io::stdout().flush();
}
