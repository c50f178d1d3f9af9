//! How the benches of the parts measure: each figure beside its floor, taken in turns in one run, several times over.
//!
//! It owns the rounds, the report, what the machine is, and what it says of a process. It knows no part. A bench is a program of its own: `--small` makes it
//! quick and its figures worthless, `--rounds` says how often each case is measured. It prints one JSON object.

mod machine;
pub mod process;
mod report;

pub use machine::Machine;
pub use report::{Bench, Spread, case, each};

/// Why a bench could not be run.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;
