//! `cargo xtask kernel-stats PROGRAM`: `docs/kernels.csv`, what the compilers of GPU drivers make of every kernel.
//!
//! PROGRAM compiles the SPIR-V shaders that it is given for the GPUs that the variable `GPUS` names, and prints a line for each:
//! `GPU  FILE.spv: NAME=NUMBER; NAME=NUMBER; …`, with the driver's own statistics (`VK_KHR_pipeline_executable_properties`). Mesa compiles
//! for GPUs that are not there: [docs/kernels.md](../../docs/kernels.md) says how.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{command, output, run, step};
use crate::folders::target_dir;
use crate::models;

const TABLE: &str = "docs/kernels.csv";
const HEADER: &str = "model,tier,kernel,gpu,instructions,registers,waves,cycles,code_bytes,spills";
const TIERS: [&str; 3] = ["plain", "subgroups", "dots"];
/// GPUs by the smallest subgroup that they have.
const GPUS: [(&str, &str); 3] = [("32", "rdna2 rdna3 a630 a660 a730 a750"), ("8", "skl tgl arc g52"), ("16", "g610")];

/// Drivers' names of one fact, each GPU's by another; what is spilled is the sum of all that are there.
const INSTRUCTIONS: &[&str] = &["Instructions", "Instruction Count"];
const REGISTERS: &[&str] = &["VGPRs", "Registers used"];
const WAVES: &[&str] = &["Subgroups per SIMD", "Max Waves Per Core"];
const CYCLES: &[&str] = &["Cycle Count"];
const CODE_BYTES: &[&str] = &["Code size", "Code Size"];
const SPILLS: &[&str] = &[
    "Spilled SGPRs",
    "Spilled VGPRs",
    "Scratch size", // AMD
    "Spill Count",
    "Fill Count",
    "Scratch Memory Size", // Intel
    "STP Count",
    "LDP Count", // Adreno: stores and loads of an invocation's own memory.
];

/// Kernels that no test model runs: the plain forms of ops that are always fused there, products with float matrices, convolutions.
#[cfg(test)]
const NOT_MEASURED: [&str; 9] =
    ["add", "conv", "conv_state", "matmul", "mul", "rms_norm_in_place", "rope", "store", "take_outputs"];

/// Compiles every kernel of the test models in every tier for every GPU, and writes the table.
pub(crate) fn write(program: &str) -> Result<()> {
    let program = fs::canonicalize(program).with_context(|| format!("there is no {program}"))?;
    let mut rows = BTreeSet::new();
    for model in models::ALL {
        models::fetch(model)?;
        for tier in TIERS {
            for (subgroup, gpus) in GPUS {
                let name = format!("{}, {tier}, {gpus}", model.file);
                step(&name, || {
                    let shaders = shaders(&model.path(), tier, subgroup)?;
                    let text = output(Command::new(&program).args(shaders).env("GPUS", gpus));
                    let text = text.with_context(|| format!("{} failed", program.display()))?;
                    rows.extend(text.lines().filter_map(|line| row(model.file, tier, line)));
                    Ok(())
                })?;
            }
        }
    }
    ensure!(!rows.is_empty(), "{} printed no statistics", program.display());
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(TABLE, format!("{HEADER}\n{rows}"))?;
    Ok(())
}

/// The shaders of a model as SPIR-V, for devices whose subgroups have at least so many invocations.
fn shaders(model: &Path, tier: &str, subgroup: &str) -> Result<Vec<PathBuf>> {
    let folder = target_dir().join("kernel-stats").join(format!("{tier}-{subgroup}"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut shaders = command("cargo", ["run", "--quiet", "--package", "minnow-engine", "--example", "shaders", "--"]);
    run(shaders.arg(model).arg(&folder).args(["--tier", tier, "--subgroup", subgroup]))?;
    let entries = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    Ok(entries.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "spv")).collect())
}

/// A line of the table of a line of the program; nothing where that has no statistics.
fn row(model: &str, tier: &str, line: &str) -> Option<String> {
    let (gpu, line) = line.split_once("  ")?;
    let (file, statistics) = line.split_once(".spv: ")?;
    // `07-matvec`: kernels that differ in their sizes alone are compiled to the same, and become one line.
    let kernel = file.split_once('-').map_or(file, |(_, kernel)| kernel);
    let numbers: Vec<(&str, u64)> = statistics
        .split(';')
        .filter_map(|statistic| statistic.trim().split_once('='))
        .filter_map(|(name, number)| Some((name, number.parse().ok()?)))
        .collect();
    let sum = |names: &[&str]| {
        let found: Vec<u64> = numbers.iter().filter(|(name, _)| names.contains(name)).map(|&(_, n)| n).collect();
        if found.is_empty() { String::new() } else { found.iter().sum::<u64>().to_string() }
    };
    let facts = [INSTRUCTIONS, REGISTERS, WAVES, CYCLES, CODE_BYTES, SPILLS].map(sum).join(",");
    (!numbers.is_empty()).then(|| format!("{model},{tier},{kernel},{gpu},{facts}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::root;

    fn table() -> String {
        fs::read_to_string(root().join(TABLE)).expect("the table is kept")
    }

    #[test]
    fn statistics_become_a_line() {
        let amd = "rdna3  01-matvec.spv: SGPRs=128; VGPRs=60; Spilled SGPRs=0; Spilled VGPRs=2; Code size=5000; Scratch size=8; Subgroups per SIMD=24; Instructions=744;";
        assert_eq!(row("m", "plain", amd).as_deref(), Some("m,plain,matvec,rdna3,744,60,24,,5000,10"));
        let mali = "g610  07-matvec_glu.spv: Code Size=7424;";
        assert_eq!(row("m", "dots", mali).as_deref(), Some("m,dots,matvec_glu,g610,,,,,7424,"));
        assert_eq!(row("m", "plain", "rdna3  # Null hardware (RADV GFX1100)"), None);
        assert_eq!(row("m", "plain", "a750  03-matmul_dot.spv: pipeline -> -13"), None);
    }

    /// Registers that do not fit go through memory, which costs more than anything a kernel saves.
    #[test]
    fn no_kernel_spills() {
        let table = table();
        assert!(table.starts_with(HEADER), "{TABLE} has other columns");
        let spilling = table.lines().skip(1).filter(|line| !line.ends_with(",0") && !line.ends_with(','));
        assert_eq!(spilling.collect::<Vec<_>>(), [""; 0], "kernels spill registers");
    }

    #[test]
    fn every_kernel_is_in_the_table() {
        let table = table();
        let measured: BTreeSet<&str> = table.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
        let is_shader = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wgsl");
        let entries = fs::read_dir(root().join("shaders")).expect("the shaders are a folder");
        let shaders = entries.map(|entry| entry.expect("it can be read").path()).filter(is_shader);
        let shaders = shaders.map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned());
        let expected: BTreeSet<String> = shaders.filter(|kernel| !NOT_MEASURED.contains(&kernel.as_str())).collect();
        let measured: BTreeSet<String> = measured.into_iter().map(str::to_owned).collect();
        assert_eq!(measured, expected, "{TABLE} is of other kernels: cargo xtask kernel-stats PROGRAM");
    }
}
