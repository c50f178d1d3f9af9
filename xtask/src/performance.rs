//! `cargo xtask performance`: all figures of `docs/performance.md`, one command after another, into one file.

use std::error::Error;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use mynah_measure::Machine;

use crate::codegen::root;
use crate::steps::cargo;

const USAGE: &str = "usage: cargo xtask performance [--out FILE] [--hours N]";
/// What takes its figures by itself: its heading, and the words of the chore.
const CHORES: [(&str, &[&str]); 4] = [
    ("Whole runs", &["measure"]),
    ("Profiles", &["measure", "--runs", "1", "--only", "single-chats,small-groups,distributed-1", "--profiles", "docs/profiles"]),
    ("Parts", &["bench"]),
    ("What a message costs each process", &["inputs"]),
];
/// Runs with faults, by the words of `loadtest`.
const FAULTS: [&str; 7] = ["faults", "--binaries", "target/release", "--rounds", "120", "--users", "200"];
/// The soak, but for its length.
const SOAK: [&str; 14] = [
    "soak",
    "churn",
    "--json",
    "--own",
    "target/release/mynah",
    "--server-cpu",
    "0",
    "--generator-cpu",
    "1",
    "--users",
    "2000",
    "--rate",
    "500",
    "--hours",
];

/// Runs everything, for several hours, and writes what each says as it ends.
///
/// # Errors
/// When a part fails. What those before it said is in the file.
pub fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    let (mut out, mut hours) = ("target/performance.md", "1");
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let value = rest.next().ok_or(USAGE)?;
        match *word {
            "--out" => out = value,
            "--hours" => hours = value,
            _ => return Err(USAGE.into()),
        }
    }
    cargo(&["build", "--release", "-p", "mynah", "-p", "mynah-cluster", "-p", "mynah-loadtest"])?;
    let machine = Machine::this();
    let mut report = format!("# Figures\n\n{}, {} cores, {}\n", machine.processor, machine.cores, machine.system);
    let mut note = |title: &str, said: String| -> Result<(), Box<dyn Error>> {
        write!(report, "\n## {title}\n\n{said}")?;
        Ok(std::fs::write(root().join(out), &report)?)
    };
    let xtask = std::env::current_exe()?;
    for (title, words) in CHORES {
        note(title, said(Command::new(&xtask).args(words))?)?;
    }
    let loadtest = root().join("target/release/loadtest");
    note("Faults", said(Command::new(&loadtest).args(FAULTS))?)?;
    note("Soak", said(Command::new(&loadtest).args(SOAK).arg(hours))?)
}

/// What a command that works says; its progress and errors are seen as they come.
fn said(command: &mut Command) -> Result<String, Box<dyn Error>> {
    eprintln!("== {command:?}");
    let output = command.current_dir(root()).stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(String::from_utf8(output.stdout)?) } else { Err(format!("{command:?} failed").into()) }
}
