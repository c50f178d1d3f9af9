//! The program as a person calls it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn a_run_without_a_server_says_what_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest")).args(["crash", "--binary", "/nowhere"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("loadtest: /nowhere"), "{output:?}");
}
