//! Shaders as a compiler sees them: parsed, with their constants in place, and valid.

#![allow(dead_code, reason = "each user needs a part of it")]

use engine::gpu::kernels::{Kernel, compose};
use naga::back::PipelineConstants;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};

/// A shader whose constants are in place.
pub(crate) struct Resolved {
    /// The shader.
    pub(crate) module: Module,
    /// What validation found out about it.
    pub(crate) info: ModuleInfo,
}

/// Parses and validates the shader of a kernel, and puts its constants in place.
///
/// # Errors
/// What is wrong, with the place in the text.
pub(crate) fn resolve(kernel: &Kernel) -> Result<Resolved, String> {
    let text = compose(&kernel.source);
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    let info = validate(&module, &text)?;
    let constants: PipelineConstants = kernel.constants.iter().map(|(name, x)| ((*name).to_owned(), *x)).collect();
    let entry = Some((ShaderStage::Compute, "main"));
    let (module, _) = naga::back::pipeline_constants::process_overrides(&module, &info, entry, &constants)
        .map_err(|e| format!("{}: {e}", kernel.name))?;
    let (module, info) = (module.clone().into_owned(), validate(&module, &text)?);
    Ok(Resolved { module, info })
}

fn validate(module: &Module, text: &str) -> Result<ModuleInfo, String> {
    let capabilities = Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.validate(module).map_err(|e| e.emit_to_string(text))
}
