//! Drives a deployment from outside, by the REST API and by device connections, and judges it by what clients saw.
//!
//! It links nothing of the server: what it knows of the wire is what a client knows.
//!
//! Reading order: [`run`] (a scenario under load) with [`scenario`], `drive` (the generators), `client` (their devices), `judge` (the
//! verdict as it streams), [`report`] (what is left of a run: its page, its summary, comparisons); [`crash`] (the run with kills), [`faults`]
//! (the same for a distributed deployment), [`traffic`] (what both do), [`changes`] (friends and groups under kills), [`stall`] (a reader that
//! stops), [`bench`] (figures beside their floors), [`device`] (the reference device), `world` (users, groups, rooms), `server`, `rest`.

pub mod bench;
pub mod changes;
mod client;
pub mod command;
pub mod crash;
pub mod device;
mod drive;
pub mod faults;
mod judge;
pub mod machine;
pub mod report;
pub mod rest;
pub mod run;
pub mod scenario;
pub mod server;
pub mod stall;
pub mod traffic;
pub mod wire;
pub mod world;

/// Why a run could not be done.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A seed of the system's randomness.
#[must_use]
pub fn any_seed() -> u64 {
    // Without randomness a plan is still a plan.
    getrandom::u64().unwrap_or(1)
}
