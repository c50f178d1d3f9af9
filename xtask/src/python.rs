//! Programs in Python that checks need: environments of their own under `target/`, made once.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::codegen::root;
use crate::steps::run;

/// The folder of programs of the environment `name`, with the versions that `requirements` writes down.
///
/// # Errors
/// When Python is not there, or the packages cannot be had.
pub fn environment(name: &str, requirements: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let folder = root().join("target").join(name);
    let (programs, mark) = (folder.join("bin"), folder.join("installed.txt"));
    let versions = std::fs::read(requirements)?;
    if std::fs::read(&mark).ok().as_ref() != Some(&versions) {
        run("python3", &["-m", "venv", "--clear", &text(&folder)], &root())?;
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", &text(requirements)];
        run(&text(&programs.join("python")), &arguments, &root())?;
        std::fs::write(mark, versions)?;
    }
    Ok(std::path::absolute(programs)?)
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
