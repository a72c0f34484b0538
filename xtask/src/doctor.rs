//! `cargo xtask doctor`: what is here, what is missing, and how it would be installed.

use anyhow::Result;

use crate::command::line;
use crate::models;
use crate::tools::{PACKAGES, TOOLS, VULKAN_DEBIAN, apt_line, has_gpu, may_apt_install};
use crate::wasm::{DEBIAN_PACKAGES, TARGET, Toolchain};

/// Prints a line for everything that the other commands use. Changes nothing.
pub(crate) fn run() -> Result<()> {
    match Toolchain::find() {
        Some(toolchain) => found("Rust for wasm", &toolchain.describe()),
        None => missing(
            "Rust for wasm",
            &format!("rustup target add {TARGET}, or on Debian: {}", apt_line(&DEBIAN_PACKAGES)),
        ),
    }
    for tool in &TOOLS {
        let name = format!("{} {}", tool.name, tool.version);
        match tool.find() {
            Some(path) => found(&name, &path.display().to_string()),
            None => missing(&name, &line(&tool.install())),
        }
    }
    for package in &PACKAGES {
        match package.find() {
            Some(path) => found(&package.name(), &format!("{}, for {}", path.display(), package.purpose)),
            None => missing(&package.name(), &format!("{}, for {}", apt_line(package.debian), package.purpose)),
        }
    }
    if has_gpu() {
        found("GPU", "its driver is listed");
    } else {
        missing("GPU", &format!("{}, for native tests", apt_line(&VULKAN_DEBIAN)));
    }
    for model in models::ALL {
        if model.is_here() {
            found(model.file, &model.path().display().to_string());
        } else {
            missing(model.file, &format!("cargo xtask models {}", model.file));
        }
    }
    let who = if may_apt_install() {
        "installs what is missing by itself"
    } else {
        "names system packages, and installs the rest"
    };
    println!("\nEvery other command {who}.");
    Ok(())
}

fn found(name: &str, what: &str) {
    println!("  ✓ {name:<34} {what}");
}

fn missing(name: &str, how: &str) {
    println!("  ✗ {name:<34} missing; {how}");
}
