//! `shaders MODEL.gguf DIR [--tier plain|subgroups|dots] [--subgroup N]`: every shader of a model, complete, for people and for
//! compilers; for devices whose subgroups have at least N invocations, or 32.
//!
//! A kernel becomes `NN-name.wgsl`, with its constants in place and the lines that browsers want, and
//! `NN-name.spv`, the same as SPIR-V.

#[path = "common/naga.rs"]
mod compiler;
#[path = "common/open.rs"]
mod open;

use compiler::Resolved;
use engine::error::{Error, ErrorKind, Result};
use engine::gpu::kernels::{self, Kernel};
use engine::gpu::tier::Tier;
use engine::model::Model;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "shaders MODEL.gguf DIR [--tier plain|subgroups|dots] [--subgroup N]";
/// Subgroups of most devices have at least so many invocations.
const SUBGROUP: usize = 32;
/// A context that needs more than one turn of attention's split.
const N_CTX: usize = 8192;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shaders: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Invalid, USAGE);
    let [model, folder, options @ ..] = &args[..] else { return Err(usage()) };
    let (mut tier, mut subgroup) = ("subgroups", SUBGROUP);
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--tier" => tier = value,
            [name, value] if name == "--subgroup" => {
                subgroup = value.parse().ok().filter(|n: &usize| n.is_power_of_two()).ok_or_else(usage)?;
            }
            _ => return Err(usage()),
        }
    }
    let tier = match tier {
        "subgroups" => Tier::subgroups(subgroup),
        "plain" => Tier::PLAIN,
        "dots" => Tier { dots: true, ..Tier::subgroups(subgroup) },
        _ => return Err(usage()),
    };
    let gguf = open::gguf(model)?;
    let model = Model::new(&gguf)?;
    let kernels = kernels::all(&model.plan, &model.codecs(&gguf), tier, N_CTX);
    std::fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))?;
    kernels.iter().enumerate().try_for_each(|(i, kernel)| write(Path::new(folder), i, kernel))
}

fn write(folder: &Path, i: usize, kernel: &Kernel) -> Result<()> {
    let invalid = |message| Error::new(ErrorKind::Invalid, message);
    let Resolved { module, info } = compiler::resolve(kernel).map_err(invalid)?;
    let wgsl = compiler::with_constants(&kernels::compose_for_browsers(&kernel.source), kernel);
    // Browsers zero workgroup memory by all invocations together; naga's way is one store for every word.
    let zero = naga::back::spv::ZeroInitializeWorkgroupMemoryMode::None;
    // As Vulkan 1.3 has it, which has products of four bytes.
    let options =
        naga::back::spv::Options { lang_version: (1, 6), zero_initialize_workgroup_memory: zero, ..Default::default() };
    let words = naga::back::spv::write_vec(&module, &info, &options, None).map_err(|e| invalid(e.to_string()))?;
    let spirv: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = folder.join(format!("{i:02}-{}", kernel.name));
    for (extension, bytes) in [("wgsl", wgsl.as_bytes()), ("spv", &spirv)] {
        let path = path.with_extension(extension);
        std::fs::write(&path, bytes).map_err(|e| unwritable(&path.display().to_string(), &e))?;
    }
    Ok(())
}

fn unwritable(path: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Storage, format!("{path} cannot be written: {error}"))
}
