//! The reference under `docs/`, made from the API's description; committed, so that it can be read where the code is read.
//!
//! The gateway's own example writes it: this program stays free of the product, so that it builds when that does not.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use crate::codegen::root;
use crate::steps::cargo;

type Outcome = Result<(), Box<dyn Error>>;
/// A file's name and content.
type Made = (String, Vec<u8>);

/// Writes it into the tree.
pub fn write() -> Outcome {
    let (folder, old) = (root().join("docs"), root().join("docs/rest"));
    if old.is_dir() {
        std::fs::remove_dir_all(old)?;
    }
    generate(&folder)
}

/// Fails if what is committed is not what the code says.
pub fn check() -> Outcome {
    let fresh = std::env::temp_dir().join(format!("mynah-docs-{}", std::process::id()));
    generate(&fresh)?;
    let (here, made) = (generated(&root().join("docs"))?, generated(&fresh)?);
    std::fs::remove_dir_all(&fresh)?;
    let differs = |file: &&Made| !(here.contains(file) && made.contains(file));
    let stale: BTreeSet<&str> = here.iter().chain(&made).filter(differs).map(|(name, _)| name.as_str()).collect();
    if stale.is_empty() {
        Ok(())
    } else {
        Err(format!("stale: {}; run cargo xtask docs", stale.into_iter().collect::<Vec<_>>().join(", ")).into())
    }
}

fn generate(folder: &Path) -> Outcome {
    let folder = std::path::absolute(folder)?.display().to_string();
    cargo(&["run", "--quiet", "-p", "mynah-gateway", "--example", "docs", "--", &folder])
}

/// Names and contents of what is made.
fn generated(folder: &Path) -> Result<Vec<Made>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = vec![folder.join("errors.md")];
    for entry in std::fs::read_dir(folder.join("rest"))? {
        files.push(entry?.path());
    }
    let read = |path: PathBuf| Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), std::fs::read(&path)?));
    files.into_iter().map(read).collect()
}
