//! What the message path costs: each figure beside its floor, in one run.

mod bare;
mod fanout;
mod growth;
mod idle;
mod login;
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
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    /// The mynah binary
    #[arg(long)]
    binary: PathBuf,
    /// The program that appends without a server: `append_floor` of the log's adapter
    #[arg(long)]
    append_floor: PathBuf,
    /// Seconds of each window
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often what is quick to measure is measured
    #[arg(long, default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// Idle connections, each number for itself
    #[arg(long, value_delimiter = ',', default_values_t = [5000, 15_000])]
    idle: Vec<usize>,
    /// Members of the group that one message fans out to, each number for itself
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000, 15_000])]
    members: Vec<usize>,
    /// Users who log in
    #[arg(long, default_value_t = 2000)]
    logins: usize,
    /// Entries that a device syncs
    #[arg(long, default_value_t = 10_000)]
    entries: u64,
    /// Entries that a conversation grows to
    #[arg(long, default_value_t = 100_000)]
    grow_to: u64,
    /// Sends of a round of `growth`. The kernel counts processor time in hundredths of a second, and what the log writes out and merges
    /// beside them falls into some rounds and not into others: few say nothing
    #[arg(long, default_value_t = 51_200)]
    grow_sends: u64,
    /// Users that are imported
    #[arg(long, default_value_t = 1_000_000)]
    users: usize,
    /// The one figure that is wanted
    #[arg(long, value_parser = FIGURES)]
    only: Option<String>,
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
    let mut server = prepare(plan, folder)?;
    server.restart().await?;
    Ok(server)
}

/// The same, not started yet.
fn prepare(plan: &Plan, folder: &Path) -> Result<Server, Failed> {
    let flags = [QUICK, &["--log", "warn"]].concat();
    Server::prepare(&plan.binary, &folder.join("data"), &flags, None)
}

fn ratio(part: f64, floor: f64) -> f64 {
    if floor > 0.0 { (part / floor * 1000.0).round() / 1000.0 } else { 0.0 }
}

pub use bare::{Bare, run as bare};
