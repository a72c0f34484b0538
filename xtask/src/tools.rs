//! Every tool that is not Rust itself: which version, where it is looked for, how it is installed.
//!
//! A [`Tool`] is pinned: it is taken from `PATH` if it is there in exactly this version, else from our own cache
//! folder, where it is installed the first time. A [`Package`] comes from the system, in the system's version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run};
use crate::folders::cache;

/// Must be the version of the `wasm-bindgen` crate in `Cargo.toml`; a test compares them.
pub(crate) const WASM_BINDGEN: Tool = Tool {
    name: "wasm-bindgen-cli",
    version: "0.2.130",
    program: "wasm-bindgen",
    source: Source::Crates { locked: false },
};
/// Runs tests compiled to wasm; comes with [`WASM_BINDGEN`].
pub(crate) const WASM_TEST_RUNNER: Tool = Tool { program: "wasm-bindgen-test-runner", ..WASM_BINDGEN };
pub(crate) const TRUNK: Tool =
    Tool { name: "trunk", version: "0.21.14", program: "trunk", source: Source::Crates { locked: true } };
pub(crate) const WASM_OPT: Tool =
    Tool { name: "binaryen", version: "132.0.0", program: "wasm-opt", source: Source::Npm };
pub(crate) const TOOLS: [Tool; 3] = [WASM_BINDGEN, TRUNK, WASM_OPT];

pub(crate) const NODE: Package = Package {
    programs: &["node"],
    probe: &["--version"],
    major_min: 20,
    debian: &["nodejs"],
    purpose: "wasm-opt, wasm tests and browser tests",
};
pub(crate) const NPM: Package =
    Package { programs: &["npm"], probe: &["--version"], major_min: 0, debian: &["npm"], purpose: "what Node runs" };
pub(crate) const PYTHON: Package = Package {
    programs: &["python3"],
    probe: &["-m", "pip", "--version"],
    major_min: 0,
    debian: &["python3", "python3-pip", "python3-venv"],
    purpose: "models that come as Python packages",
};
pub(crate) const CHROMIUM: Package = Package {
    programs: &["chromium", "chromium-browser", "google-chrome"],
    probe: &["--version"],
    major_min: 0,
    debian: &["chromium"],
    purpose: "browser tests",
};
pub(crate) const FIREFOX: Package = Package {
    programs: &["firefox-esr", "firefox"],
    probe: &["--version"],
    major_min: 0,
    debian: &["firefox-esr"],
    purpose: "browser tests",
};
pub(crate) const CURL: Package = Package {
    programs: &["curl"],
    probe: &["--version"],
    major_min: 0,
    debian: &["curl"],
    purpose: "models from Hugging Face",
};
pub(crate) const PACKAGES: [Package; 6] = [NODE, NPM, PYTHON, CURL, CHROMIUM, FIREFOX];

/// A program that acts as a GPU, for the native tests and the browsers, and what finds it.
pub(crate) const VULKAN_DEBIAN: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
/// Where Linux lists drivers for GPUs.
const VULKAN_DRIVERS: [&str; 3] = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// What makes the golden files besides llama.cpp, as pip takes it.
pub(crate) const GOLDEN_PYTHON: [&str; 2] = ["gguf==0.19.0", "jinja2==3.1.6"];

/// A program in one exact version.
pub(crate) struct Tool {
    /// The name in its registry.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) program: &'static str,
    pub(crate) source: Source,
}

/// Where a [`Tool`] comes from.
pub(crate) enum Source {
    /// `cargo install`; `locked` if the versions that the tool itself locks are to be used.
    Crates { locked: bool },
    /// `npm install`.
    Npm,
}

/// A program that the system's package manager installs.
pub(crate) struct Package {
    /// Any of these will do.
    pub(crate) programs: &'static [&'static str],
    /// The arguments with which it says that it works, and its version.
    probe: &'static [&'static str],
    /// The oldest version that will do; 0 if any does.
    pub(crate) major_min: u32,
    /// The packages that bring it on Debian and what derives from it.
    pub(crate) debian: &'static [&'static str],
    pub(crate) purpose: &'static str,
}

impl Tool {
    /// The program's path; installs it if it is nowhere.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        if let Some(path) = self.find() {
            return Ok(path);
        }
        println!("  {} {} is not here; installing it once, into {}", self.name, self.version, self.folder().display());
        run(&mut self.install())?;
        self.find().with_context(|| format!("{} was installed, but {} does not run", self.name, self.program))
    }

    /// Where the program is in the right version, if it is.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        [PathBuf::from(self.program), self.cached()].into_iter().find(|path| self.is_at(path))
    }

    /// The command that installs it.
    pub(crate) fn install(&self) -> Command {
        match self.source {
            Source::Crates { locked } => {
                let mut install = command("cargo", ["install", self.name, "--version", self.version, "--root"]);
                install.arg(self.folder()).env_remove("CARGO_TARGET_DIR");
                // They are quick either way, but slow to build as their authors do.
                for (setting, value) in [("OPT_LEVEL", "1"), ("LTO", "off"), ("CODEGEN_UNITS", "16")] {
                    install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
                }
                if locked {
                    install.arg("--locked");
                }
                install
            }
            Source::Npm => {
                let mut install =
                    command("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
                install.arg(self.folder()).arg(format!("{}@{}", self.name, self.version));
                install
            }
        }
    }

    fn is_at(&self, path: &Path) -> bool {
        // Binaryen calls release 132.0.0 "version 132".
        let version = self.version.trim_end_matches(".0.0");
        output(Command::new(path).arg("--version"))
            .is_some_and(|printed| printed.split(' ').any(|word| word == version))
    }

    fn cached(&self) -> PathBuf {
        let bin = match self.source {
            Source::Crates { .. } => "bin",
            Source::Npm => "node_modules/.bin",
        };
        self.folder().join(bin).join(self.program)
    }

    fn folder(&self) -> PathBuf {
        cache().join(format!("{}-{}", self.name, self.version))
    }
}

impl Package {
    /// Where a program of it is that works and is new enough.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        self.programs.iter().filter_map(|program| on_path(program)).find(|path| {
            let version = output(Command::new(path).args(self.probe));
            version.is_some_and(|version| self.major_min == 0 || major(&version) >= Some(self.major_min))
        })
    }

    /// What it is called, with the version that it needs.
    pub(crate) fn name(&self) -> String {
        let name = self.programs[0];
        if self.major_min == 0 { name.to_owned() } else { format!("{name} {} or newer", self.major_min) }
    }
}

/// Installs what is missing of `packages` where this process may, and says the one command where it may not.
pub(crate) fn ensure(packages: &[&Package]) -> Result<()> {
    let missing: Vec<&&Package> = packages.iter().filter(|package| package.find().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_install(&missing.iter().flat_map(|package| package.debian).copied().collect::<Vec<_>>())?;
    match missing.into_iter().find(|package| package.find().is_none()) {
        None => Ok(()),
        Some(package) => bail!("this system's packages do not bring {}; install it by hand", package.name()),
    }
}

/// Whether tests find the program that acts as a GPU; other systems bring their own drivers along.
pub(crate) fn has_gpu() -> bool {
    let is_lavapipe = |file: std::io::Result<std::fs::DirEntry>| {
        file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("lvp_icd"))
    };
    let has_it = |folder: &str| std::fs::read_dir(folder).is_ok_and(|mut files| files.any(is_lavapipe));
    !cfg!(target_os = "linux") || VULKAN_DRIVERS.into_iter().any(has_it)
}

/// Installs the program that acts as a GPU.
pub(crate) fn ensure_gpu() -> Result<()> {
    if has_gpu() { Ok(()) } else { apt_install(&VULKAN_DEBIAN) }
}

/// The program of this name that a shell would start.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The first number in `v20.1.0`.
fn major(version: &str) -> Option<u32> {
    version.trim_start_matches(|c: char| !c.is_ascii_digit()).split('.').next()?.parse().ok()
}

/// `apt-get install`, as root on Debian; elsewhere an error that says what to type.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    if !may_apt_install() {
        bail!("{} is missing; install it and try again:\n       {}", packages.join(" "), apt_line(packages));
    }
    let apt = || {
        let mut apt = command("apt-get", ["-o", "DPkg::Lock::Timeout=300"]);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().args(["update", "--quiet"]))?;
    run(apt().args(["install", "--quiet", "--yes", "--no-install-recommends"]).args(packages))
}

/// What a person types to install these.
pub(crate) fn apt_line(packages: &[&str]) -> String {
    format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Whether this is Debian, or like it, and we are root.
pub(crate) fn may_apt_install() -> bool {
    Path::new("/etc/debian_version").exists() && output(&mut command("id", ["-u"])).is_some_and(|uid| uid == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors() {
        for (version, expected) in [("v20.20.2", Some(20)), ("Chromium 156.0.1", Some(156)), ("none", None)] {
            assert_eq!(major(version), expected, "{version}");
        }
    }
}
