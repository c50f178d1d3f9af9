//! What the message path costs: each figure beside its floor, in one run.

mod bare;
mod fanout;
mod growth;
mod idle;
mod login;
mod process;
mod rest;
mod sends;
mod sizes;
mod sync;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Failed;
use crate::server::{QUICK, Server};

/// What can be measured.
pub const FIGURES: [&str; 8] = ["sends", "growth", "fanout", "idle", "rest", "login", "sync", "sizes"];

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// The program that appends without a server; see `append_floor` of the log's adapter.
    pub append_floor: PathBuf,
    /// Seconds of each window.
    pub seconds: u64,
    /// How often what is quick to measure is measured.
    pub rounds: usize,
    /// Idle connections, each number for itself.
    pub idle: Vec<usize>,
    /// Members of the group that one message fans out to, each number for itself.
    pub members: Vec<usize>,
    /// Users who log in.
    pub logins: usize,
    /// Entries that a device syncs.
    pub entries: u64,
    /// Entries that a conversation grows to.
    pub grow_to: u64,
    /// Users that are imported.
    pub users: usize,
    /// The one figure that is wanted, of [`FIGURES`]; none: all.
    pub only: Option<String>,
}

/// Measures everything, and judges what was sent meanwhile.
///
/// # Errors
/// When a server or a floor cannot be run.
pub async fn run(plan: &Plan) -> Result<Value, Failed> {
    let mut figures = serde_json::Map::new();
    for name in FIGURES {
        if plan.only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let figure = match name {
            "sends" => sends::many_connections(plan).await?,
            "growth" => growth::measure(plan).await?,
            "fanout" => fanout::measure(plan).await?,
            "idle" => idle::measure(plan).await?,
            "rest" => rest::measure(plan).await?,
            "login" => login::measure(plan).await?,
            "sync" => sync::measure(plan).await?,
            _ => sizes::measure(plan).await?,
        };
        figures.insert(name.into(), figure);
    }
    Ok(figures.into())
}

/// A server without the limits of a person.
async fn server(plan: &Plan, folder: &Path) -> Result<Server, Failed> {
    let flags = [QUICK, &["--log", "warn"]].concat();
    Server::start(&plan.binary, &folder.join("data"), &flags).await
}

fn ratio(part: f64, floor: f64) -> f64 {
    if floor > 0.0 { (part / floor * 1000.0).round() / 1000.0 } else { 0.0 }
}

pub use bare::{Bare, run as bare};
pub(crate) use process::{cpu_seconds, resident};
