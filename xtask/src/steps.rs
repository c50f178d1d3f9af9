//! The test command: every check in order, stopping at the first that fails.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Formatting, lints, generated code and documents, what is deployed, tests of the whole workspace, the page in a real browser, the API against its
/// own description, real clients.
pub fn test() -> Result<(), Box<dyn Error>> {
    cargo(&["fmt", "--all", "--check"])?;
    crate::codegen::check()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    crate::docs::check()?;
    crate::deploy::check()?;
    cargo(&["test", "--workspace"])?;
    page()?;
    crate::schemathesis::schemathesis()?;
    crate::clients::run(None)?;
    crate::cluster::trial()?;
    crash()
}

/// The API against its own description, by the debug build of the server.
pub fn schemathesis() -> Result<(), Box<dyn Error>> {
    cargo(&["build", "-p", "mynah"])?;
    crate::schemathesis::schemathesis()
}

/// The server is killed under load, a device stops reading, each part of a distributed deployment fails once, and clients judge.
fn crash() -> Result<(), Box<dyn Error>> {
    let root = crate::codegen::root();
    run("target/debug/loadtest", &["faults", "--binaries", "target/debug", "--rounds", "17", "--users", "200"], &root)?;
    run("target/debug/loadtest", &["stall", "--binary", "target/debug/mynah"], &root)?;
    run("target/debug/loadtest", &["changes", "--binary", "target/debug/mynah", "--kills", "20"], &root)?;
    run("target/debug/loadtest", &["crash", "--binary", "target/debug/mynah", "--kills", "20", "--users", "300"], &root)
}

/// The pages against the debug build of the server.
fn page() -> Result<(), Box<dyn Error>> {
    let tests = crate::codegen::root().join("services/gateway/ui/test");
    if !tests.join("node_modules").is_dir() {
        run("npm", &["ci", "--no-audit", "--no-fund"], &tests)?;
    }
    run("node", &["api.mjs", "../../../../target/debug/mynah"], &tests)?;
    run("node", &["run.mjs", "../../../../target/debug/mynah"], &tests)
}

pub(crate) fn cargo(args: &[&str]) -> Result<(), Box<dyn Error>> {
    run(env!("CARGO"), args, &crate::codegen::root())
}

pub(crate) fn run(program: &str, args: &[&str], folder: &Path) -> Result<(), Box<dyn Error>> {
    let name = Path::new(program).file_name().unwrap_or_default().display();
    let (started, line) = (Instant::now(), format!("{name} {}", args.join(" ")));
    eprintln!("== {line}");
    let status = Command::new(program).args(args).current_dir(folder).status().map_err(|error| format!("{program}: {error}"))?;
    eprintln!("== {line}: {} s", started.elapsed().as_secs());
    if status.success() { Ok(()) } else { Err(format!("{line} failed").into()) }
}
