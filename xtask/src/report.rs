//! `cargo xtask bench --report`: `docs/benchmarks.md`, from the latest rows of `benchmarks/records/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::folders::root;

const RECORDS: &str = "benchmarks/records";
const REPORT: &str = "docs/benchmarks.md";

const INTRODUCTION: &str = "\
# Benchmarks

Made by `cargo xtask bench --report` from [benchmarks/records](../benchmarks/README.md); rows are added by `cargo xtask bench --record`.

Tokens per second, medians (and extremes) of a row's repetitions, the latest of each machine, model, build and test. Names of tests are
llama-bench's: `pp512` reads a prompt of 512 tokens, `tg64 @ d512` writes 64 tokens after 512 others. A build is one of the worker's variants;
`plain` has SIMD, `relaxed` relaxed SIMD, the others threads as well. Peers ran in turns with it, on the same machine, file and number of threads:
wllama, which is llama.cpp in wasm, in the same browser, and llama.cpp itself, natively. ÷ is how many times as fast as that peer Minnow is.
";

/// One engine's speed in one test: a line of a record file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// When the run ended, the same in all its rows: `2026-11-28T01:42:59Z`.
    date: String,
    /// What Minnow was built of, unless that was not written down.
    commit: Option<String>,
    /// The processor as a word.
    machine: String,
    cpu: String,
    cores: u32,
    memory_gib: Option<u32>,
    os: Option<String>,
    /// Absent where no browser was involved.
    browser: Option<String>,
    /// What offered WebGPU; absent on the CPU.
    adapter: Option<String>,
    /// What is under the adapter.
    driver: Option<String>,
    #[serde(rename = "load_average")]
    _load_average: Option<f64>,
    /// `minnow`, `wllama` or `llama.cpp`.
    engine: String,
    /// The peer's.
    #[serde(rename = "version")]
    _version: Option<String>,
    /// Minnow's build.
    variant: Option<String>,
    /// The file's name.
    model: String,
    /// Type of Minnow's keys and values.
    cache: Option<String>,
    threads: u32,
    test: String,
    /// Tokens that the engine read at once, where it was told.
    #[serde(rename = "n_batch")]
    _n_batch: Option<u32>,
    /// Tokens per second of each repetition.
    reps: Vec<f64>,
    /// What one token asked of the GPU.
    gpu_cost: Option<BTreeMap<String, f64>>,
}

/// Writes the report, and says where.
#[expect(clippy::print_stdout, reason = "the command says what it did")]
pub(crate) fn write() -> Result<()> {
    fs::write(REPORT, report(&records(root())?))?;
    println!("{REPORT}");
    Ok(())
}

/// Every row that is kept, file by file in the order of their names.
fn records(root: &Path) -> Result<Vec<Row>> {
    let folder = root.join(RECORDS);
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    let mut rows = Vec::new();
    for path in paths {
        for (number, line) in (1..).zip(fs::read_to_string(&path)?.lines()) {
            rows.push(serde_json::from_str(line).with_context(|| format!("{}:{number}", path.display()))?);
        }
    }
    Ok(rows)
}

/// The report as Markdown: a table for each model, machine and adapter.
fn report(rows: &[Row]) -> String {
    let mut tables: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in latest(rows) {
        tables.entry((&row.model, &row.machine, &row.adapter, &row.driver)).or_default().push(row);
    }
    let mut text = INTRODUCTION.to_owned();
    for (_, mut lines) in tables {
        lines.sort_by_key(|row| (row.threads, row.variant.clone(), row.cache.clone(), test_order(&row.test)));
        text += &table(&lines, rows);
    }
    text
}

/// Minnow's newest row of everything that was measured.
fn latest(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let mut latest: BTreeMap<_, &Row> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.engine == "minnow") {
        let place = (&row.machine, &row.adapter, &row.driver, &row.model);
        let newest = latest.entry((place, &row.variant, &row.cache, row.threads, &row.test)).or_insert(row);
        if row.date > newest.date {
            *newest = row;
        }
    }
    latest.into_values()
}

/// Tests by their kind and size, then by the depth at which they run.
fn test_order(test: &str) -> (String, u32) {
    let (name, depth) = test.split_once(" @ d").unwrap_or((test, "0"));
    (name.to_owned(), depth.parse().unwrap_or(u32::MAX))
}

/// One machine's rows, each beside what its peers did in the same run.
fn table(lines: &[&Row], rows: &[Row]) -> String {
    let first = lines[0];
    let adapter = first.adapter.as_ref().map_or(String::new(), |adapter| match &first.driver {
        Some(driver) => format!(", WebGPU on {adapter} ({driver})"),
        None => format!(", WebGPU on {adapter}"),
    });
    let memory = first.memory_gib.map_or(String::new(), |gib| format!(", {gib} GiB"));
    let system = [first.os.as_deref(), first.browser.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let mut text = format!("\n## {}, {}{adapter}\n\n", first.model, first.machine);
    let _ = writeln!(text, "{}, {} cores{memory}. {system}.\n", first.cpu, first.cores);
    let of_run = |engine: &str, line: &Row| {
        let is_turn = |row: &&Row| row.date == line.date && row.threads == line.threads && row.test == line.test;
        rows.iter().filter(is_turn).find(|row| row.engine == engine && row.adapter == line.adapter)
    };
    let mut peers = vec!["wllama", "llama.cpp"];
    peers.retain(|peer| lines.iter().any(|line| of_run(peer, line).is_some()));
    let mut header = vec!["threads".to_owned(), "build".into(), "cache".into(), "test".into(), "minnow".into()];
    header.extend(peers.iter().flat_map(|peer| [(*peer).to_owned(), "÷".into()]));
    header.extend(["date".to_owned(), "commit".into()]);
    text += &line(&header);
    text += &line(&header.iter().map(|name| if is_word(name) { "---" } else { "--:" }.to_owned()).collect::<Vec<_>>());
    for row in lines {
        let mut cells = vec![row.threads.to_string(), or_dash(&row.variant), or_dash(&row.cache), row.test.clone()];
        cells.push(speed(row));
        for peer in &peers {
            let peer = of_run(peer, row);
            cells.push(peer.map_or(String::new(), speed));
            cells.push(peer.map_or(String::new(), |peer| format!("{:.2}", median(&row.reps) / median(&peer.reps))));
        }
        cells.extend([row.date[..10].to_owned(), or_dash(&row.commit)]);
        text += &line(&cells);
    }
    let priced = lines.iter().flat_map(|row| [Some(*row), of_run("wllama", row)]).flatten();
    text + &costs(&priced.filter_map(|row| Some((row, row.gpu_cost.as_ref()?))).collect::<Vec<_>>())
}

/// What one token asks of the GPU; nothing where none was used.
fn costs(rows: &[(&Row, &BTreeMap<String, f64>)]) -> String {
    let Some((_, first)) = rows.first() else { return String::new() };
    let names: Vec<&String> = first.keys().collect();
    let mut header = vec!["a token of".to_owned(), "engine".into()];
    header.extend(names.iter().map(|name| name.replace('_', " ")));
    let mut text = format!("\n{}", line(&header));
    text += &line(&header.iter().map(|name| if is_word(name) { "---" } else { "--:" }.to_owned()).collect::<Vec<_>>());
    for (row, cost) in rows {
        let mut cells = vec![row.test.clone(), row.engine.clone()];
        cells.extend(names.iter().map(|name| cost.get(*name).map_or(String::new(), ToString::to_string)));
        text += &line(&cells);
    }
    text
}

/// Whether a column with this header holds words; others hold numbers, which stand on the right.
fn is_word(header: &str) -> bool {
    ["build", "cache", "test", "date", "commit", "a token of", "engine"].contains(&header)
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn or_dash(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "–".into())
}

/// The median and, of several repetitions, the extremes: `87.1 (85–90)`.
fn speed(row: &Row) -> String {
    let (min, max) = row.reps.iter().fold((f64::MAX, f64::MIN), |(min, max), &rep| (min.min(rep), max.max(rep)));
    match row.reps.len() {
        1 => format!("{:.1}", median(&row.reps)),
        _ => format!("{:.1} ({min:.0}–{max:.0})", median(&row.reps)),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of `engine` on one thread of a machine named `m`.
    fn row(date: &str, engine: &str, test: &str, reps: &[f64]) -> Row {
        let variant = if engine == "minnow" { r#","variant":"relaxed","cache":"f16","commit":"abc1234""# } else { "" };
        let json = format!(
            r#"{{"date":"{date}","machine":"m","cpu":"A CPU","cores":2,"engine":"{engine}","model":"a.gguf","threads":1,"test":"{test}","reps":{reps:?}{variant}}}"#
        );
        serde_json::from_str(&json).expect("the test writes a row")
    }

    #[test]
    fn the_latest_row_stands_beside_the_peers_of_its_own_run() {
        let (old, new) = ("2026-11-27T10:00:00Z", "2026-11-28T10:00:00Z");
        let rows = [
            row(old, "minnow", "tg64", &[1.0]),
            row(old, "llama.cpp", "tg64", &[1.0]),
            row(new, "minnow", "tg64 @ d1024", &[50.0, 40.0]),
            row(new, "minnow", "tg64 @ d512", &[80.0]),
            row(new, "wllama", "tg64", &[10.0, 20.0, 12.0]),
            row(new, "minnow", "tg64", &[90.0, 60.0, 120.4]),
        ];
        let (_, table) =
            report(&rows).split_once("\n## ").map(|(head, table)| (head.len(), table.to_owned())).expect("a table");
        expect_test::expect![[r"
            a.gguf, m

            A CPU, 2 cores. .

            | threads | build | cache | test | minnow | wllama | ÷ | date | commit |
            | --: | --- | --- | --- | --: | --: | --: | --- | --- |
            | 1 | relaxed | f16 | tg64 | 90.0 (60–120) | 12.0 (10–20) | 7.50 | 2026-11-28 | abc1234 |
            | 1 | relaxed | f16 | tg64 @ d512 | 80.0 |  |  | 2026-11-28 | abc1234 |
            | 1 | relaxed | f16 | tg64 @ d1024 | 45.0 (40–50) |  |  | 2026-11-28 | abc1234 |
        "]]
        .assert_eq(&table);
    }

    #[test]
    fn adapters_have_tables_of_their_own_with_what_a_token_costs() {
        let mut row = row("2026-11-28T10:00:00Z", "minnow", "tg16", &[5.0]);
        row.adapter = Some("lavapipe".to_owned());
        row.driver = Some("Mesa".to_owned());
        row.gpu_cost = Some([("bind_groups".to_owned(), 0.0), ("writes".to_owned(), 0.25)].into());
        let text = report(&[row.clone(), Row { adapter: None, driver: None, gpu_cost: None, ..row }]);
        assert!(text.contains("## a.gguf, m\n"), "{text}");
        assert!(text.contains("## a.gguf, m, WebGPU on lavapipe (Mesa)\n"), "{text}");
        assert!(text.contains("| a token of | engine | bind groups | writes |\n| --- | --- | --: | --: |\n| tg16 | minnow | 0 | 0.25 |\n"), "{text}");
    }

    #[test]
    fn the_report_is_made_of_the_records() {
        let rows = records(root()).expect("every line of every record is a row");
        assert!(rows.iter().all(|row| !row.reps.is_empty() && row.reps.iter().all(|rep| *rep > 0.0)));
        let written = fs::read_to_string(root().join(REPORT)).expect("the report is kept");
        assert!(written == report(&rows), "{REPORT} is older than its records: cargo xtask bench --report");
    }

    #[test]
    fn a_record_is_named_after_its_rows() {
        for entry in fs::read_dir(root().join(RECORDS)).expect("the records are kept") {
            let path = entry.expect("the folder can be read").path();
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            for line in fs::read_to_string(&path).expect("a record is text").lines() {
                let row: Row = serde_json::from_str(line).expect("a line is a row");
                let commit = row.commit.as_deref().unwrap_or("unknown");
                assert_eq!(name, format!("{}-{commit}-{}", &row.date[..10], row.machine));
            }
        }
    }
}
