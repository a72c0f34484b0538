//! Shaders as a compiler sees them: parsed, with their constants in place, and valid.

#![allow(dead_code, reason = "each user needs a part of it")]

use engine::gpu::kernels::{Kernel, compose};
use naga::Module;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

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
    let text = with_constants(&compose(&kernel.source), kernel);
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    if let Some((_, without)) = module.overrides.iter().next() {
        return Err(format!("{}: {:?} has no value", kernel.name, without.name));
    }
    let capabilities = Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(&text))?;
    Ok(Resolved { module, info })
}

/// The text of a kernel with constants where it has overrides.
pub(crate) fn with_constants(text: &str, kernel: &Kernel) -> String {
    let line = |line: &str| {
        let (name, kind) = line.strip_prefix("override ")?.strip_suffix(';')?.split_once(": ")?;
        let (_, x) = kernel.constants.iter().find(|(constant, _)| *constant == name)?;
        // A whole number is a float where one is wanted.
        Some(format!("const {name}: {kind} = {x};"))
    };
    text.lines().map(|text| line(text).unwrap_or_else(|| text.to_owned()) + "\n").collect()
}
