//! What was measured: for people as llama-bench's table, for programs as JSON.

use protocol::{BenchOptions, GpuCost, ModelInfo, Profile, Threads};
use serde::Serialize;

/// What was measured, with everything that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Tokens per second of the first test that reads a prompt.
    pub pp: Option<f64>,
    /// Tokens per second of the first test that generates.
    pub tg: Option<f64>,
    /// From the request to a model that answers.
    pub load_ms: f64,
    /// Whether some of that was a download.
    pub downloaded: bool,
    /// From the first question, a short one, to the first token of the reply; none if the model cannot chat.
    pub first_token_ms: Option<f64>,
    /// From the last byte of the file to that token: what is left to do when everything is there.
    pub last_byte_to_token_ms: Option<f64>,
    pub backend: String,
    pub tier: String,
    /// The larger number, where prompts are read with other threads than replies are written.
    pub threads: u32,
    /// How keys and values were kept.
    pub cache: String,
    pub variant: String,
    /// Of the engine's wasm memory, after the last test.
    pub heap_bytes: u64,
    pub model: String,
    pub architecture: String,
    pub weight_type: String,
    pub size_bytes: u64,
    pub n_params: u64,
    pub context_tokens: u32,
    pub tests: Vec<Row>,
    /// What did not run as it was asked for.
    pub warnings: Vec<String>,
    pub user_agent: String,
    /// Of the moment it was complete, in milliseconds since 1970.
    pub time_ms: u64,
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// llama-bench's name for it.
    pub test: String,
    pub n_prompt: u32,
    pub n_gen: u32,
    pub depth: u32,
    pub threads: u32,
    /// Of every repetition.
    pub tokens_per_sec: Vec<f64>,
    pub mean: f64,
    pub sd: f64,
    /// Of a generation on a GPU.
    pub gpu_cost: Option<GpuCost>,
    /// Of the last batch, on the CPU, if that was asked for.
    pub profile: Option<Profile>,
}

impl Row {
    pub fn new(
        test: String,
        options: BenchOptions,
        threads: Threads,
        tokens_per_sec: Vec<f64>,
        gpu_cost: Option<GpuCost>,
        profile: Option<Profile>,
    ) -> Self {
        let BenchOptions { n_prompt, n_gen, depth, .. } = options;
        let threads = if n_gen > 0 { threads.decode } else { threads.prefill };
        let (mean, sd) = mean_and_sd(&tokens_per_sec);
        Self { test, n_prompt, n_gen, depth, threads, tokens_per_sec, mean, sd, gpu_cost, profile }
    }

    pub fn speed(&self) -> String {
        format!("{:.2} ± {:.2}", self.mean, self.sd)
    }
}

/// The deviation of a sample, as llama-bench has it.
fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// The columns of the table.
pub const COLUMNS: [&str; 8] = ["model", "size", "params", "backend", "threads", "cache", "test", "t/s"];

/// A line of the table.
pub fn cells(info: &ModelInfo, row: &Row) -> [String; COLUMNS.len()] {
    [
        format!("{} {}", info.name, info.weight_type),
        size(info.size_bytes),
        params(info.n_params),
        info.backend.to_uppercase(),
        row.threads.to_string(),
        info.cache.name().to_owned(),
        row.test.clone(),
        row.speed(),
    ]
}

/// A token's cost in words.
pub fn cost(cost: &GpuCost) -> String {
    let GpuCost { dispatches, submits, bind_groups, writes, written_bytes, reads, read_bytes, pipelines } = cost;
    format!(
        "{dispatches:.1} dispatches, {submits:.1} submits, {bind_groups:.1} bind groups, {writes:.1} writes of \
         {written_bytes:.0} bytes in all, {reads:.1} reads of {read_bytes:.0} bytes in all; {pipelines} pipelines so far"
    )
}

/// How long a person waits, in words.
pub fn waits(load_ms: f64, first_token_ms: Option<f64>, last_byte_to_token_ms: Option<f64>) -> String {
    let after = [(first_token_ms, "a first question"), (last_byte_to_token_ms, "the last byte")];
    let after = after.into_iter().filter_map(|(ms, what)| Some(format!("{} after {what}", secs(ms?))));
    let after: Vec<_> = after.collect();
    let token = if after.is_empty() { String::new() } else { format!("; the first token came {}", after.join(", ")) };
    format!("Loaded in {}{token}.", secs(load_ms))
}

fn secs(ms: f64) -> String {
    format!("{:.2} s", ms / 1000.0)
}

/// The table as llama-bench prints it.
pub fn markdown(info: &ModelInfo, rows: &[Row]) -> String {
    let line =
        |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(" | "));
    let rule = ["---", "---:", "---:", "---", "---:", "---", "---:", "---:"];
    let head = line(&COLUMNS.map(str::to_owned)) + &line(&rule.map(str::to_owned));
    rows.iter().fold(head, |table, row| table + &line(&cells(info, row)))
}

/// A cell of a table in Markdown: a file may say anything of itself.
fn escape(cell: &str) -> String {
    let special = |c| matches!(c, '|' | '\\' | '[' | '<' | '`');
    cell.chars().fold(String::new(), |text, c| match c {
        '\n' | '\r' => text + " ",
        c if special(c) => text + "\\" + c.encode_utf8(&mut [0; 4]),
        c => text + c.encode_utf8(&mut [0; 4]),
    })
}

fn size(bytes: u64) -> String {
    const MIB: f64 = 1_048_576.0;
    let mib = bytes as f64 / MIB;
    if mib < 1024.0 { format!("{mib:.2} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

fn params(n: u64) -> String {
    let n = n as f64;
    if n < 1e9 { format!("{:.2} M", n / 1e6) } else { format!("{:.2} B", n / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_have_a_mean_and_a_deviation() {
        for (values, want) in [(vec![], (0.0, 0.0)), (vec![3.0], (3.0, 0.0)), (vec![1.0, 3.0], (2.0, 2.0_f64.sqrt()))] {
            assert_eq!(mean_and_sd(&values), want);
        }
    }

    #[test]
    fn waits_in_words() {
        assert_eq!(
            waits(1500.0, None, Some(2.0)),
            "Loaded in 1.50 s; the first token came 0.00 s after the last byte."
        );
        assert_eq!(
            waits(1500.0, Some(180.0), Some(420.0)),
            "Loaded in 1.50 s; the first token came 0.18 s after a first question, 0.42 s after the last byte."
        );
        assert_eq!(waits(20.0, None, None), "Loaded in 0.02 s.");
    }

    #[test]
    fn a_name_stays_in_its_cell() {
        assert_eq!(escape("a|b\n[c](d) Q4_0"), "a\\|b \\[c](d) Q4_0");
    }

    #[test]
    fn sizes_as_llama_bench_writes_them() {
        assert_eq!((size(98_362_432), size(1_181_116_006)), ("93.81 MiB".to_owned(), "1.10 GiB".to_owned()));
        assert_eq!((params(134_515_008), params(1_100_000_000)), ("134.52 M".to_owned(), "1.10 B".to_owned()));
    }
}
