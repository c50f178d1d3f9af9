//! `deploy/` against the Kubernetes schemas and against the sources: each setting, port, path and metric that it names is one that there is.
//!
//! The check is in Python, since the schemas are: `xtask/deploy`. It needs no kustomize; where there is one, both have to agree.

use std::error::Error;

use crate::codegen::root;
use crate::python::{environment, text};
use crate::steps::run;

/// Runs it, then makes errors in copies to see each of them found, then holds the capacity model against its inputs.
///
/// # Errors
/// When something is wrong with `deploy/`, or the tools cannot be had.
pub fn check() -> Result<(), Box<dyn Error>> {
    let here = root().join("xtask/deploy");
    let python = text(&environment("deploy-check", &here.join("requirements.txt"))?.join("python"));
    for script in ["check.py", "mutations.py"] {
        // No compiled files beside the sources.
        run(&python, &["-B", &text(&here.join(script)), &text(&root())], &root())?;
    }
    crate::capacity::check()
}
