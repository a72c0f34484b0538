//! `shaders MODEL.gguf DIR [--tier plain|subgroups|dots]`: every shader of a model, complete, for people and for compilers.
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
    let (model, folder, tier) = match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [model, folder] | [model, folder, "--tier", "subgroups"] => (*model, *folder, Tier::subgroups(SUBGROUP)),
        [model, folder, "--tier", "plain"] => (*model, *folder, Tier::PLAIN),
        [model, folder, "--tier", "dots"] => (*model, *folder, Tier { dots: true, ..Tier::subgroups(SUBGROUP) }),
        _ => return Err(Error::new(ErrorKind::Invalid, "shaders MODEL.gguf DIR [--tier plain|subgroups|dots]")),
    };
    let gguf = open::gguf(model)?;
    let plan = Model::new(&gguf)?.plan;
    let dtypes = plan.weights.iter().map(|w| gguf.tensor(&w.name).expect("the model checked its tensors").dtype);
    let kernels = kernels::all(&plan, &dtypes.collect::<Vec<_>>(), tier, N_CTX);
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
