//! The test command: every check in order, stopping at the first that fails.

use std::error::Error;
use std::process::Command;
use std::time::Instant;

/// Formatting, lints, generated code, tests of the whole workspace.
pub fn test() -> Result<(), Box<dyn Error>> {
    cargo(&["fmt", "--all", "--check"])?;
    crate::codegen::check()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    cargo(&["test", "--workspace"])
}

fn cargo(args: &[&str]) -> Result<(), Box<dyn Error>> {
    let (started, line) = (Instant::now(), format!("cargo {}", args.join(" ")));
    eprintln!("== {line}");
    let status = Command::new(env!("CARGO")).args(args).current_dir(crate::codegen::root()).status()?;
    eprintln!("== {line}: {} s", started.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(format!("{line} failed").into()) }
}
