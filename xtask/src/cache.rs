//! A target folder that outlives the clone, so that a fresh clone on a known machine compiles only what is ours.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::folders::shared_target_dir;

/// The packages of this repository, by the start of what cargo names their fingerprints.
const OURS: [&str; 2] = ["minnow-", "xtask-"];

/// Takes the shared folder for this clone alone, as long as what is returned lives; `None` where the folder is the clone's own.
///
/// Cargo tells members of a workspace apart by their path inside it, and old from new by times, so that it would take another
/// clone's build for ours if that is younger than our files. So it is made to build our packages anew; what comes from
/// registries is the same for every clone.
pub(crate) fn claim() -> Result<Option<File>> {
    let Some(folder) = shared_target_dir() else { return Ok(None) };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join("in-use"))?;
    println!("  building in {}, alone", folder.display());
    lock.lock().context("the target folder cannot be locked")?;
    forget_ours(&folder)?;
    Ok(Some(lock))
}

/// Removes the fingerprints of our packages from every `.fingerprint` in this folder.
fn forget_ours(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == ".fingerprint" {
            for unit in fs::read_dir(&path)? {
                let unit = unit?;
                if OURS.iter().any(|ours| unit.file_name().to_string_lossy().starts_with(ours)) {
                    fs::remove_dir_all(unit.path())?;
                }
            }
        } else if path.is_dir() && !["deps", "build", "incremental", "examples"].contains(&name) {
            forget_ours(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_are_forgotten() {
        let folder = std::env::temp_dir().join(format!("minnow-cache-{}", std::process::id()));
        let units = ["debug/.fingerprint/minnow-engine-1", "wasm32/release/.fingerprint/minnow-ui-2"];
        let others = ["debug/.fingerprint/serde-3", "debug/deps/minnow-engine-4"];
        for unit in units.iter().chain(&others) {
            fs::create_dir_all(folder.join(unit)).unwrap();
        }
        forget_ours(&folder).unwrap();
        assert!(units.iter().all(|unit| !folder.join(unit).exists()));
        assert!(others.iter().all(|unit| folder.join(unit).exists()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
