//! Kills the server again and again while everybody sends, and lets the oracle judge.

use std::path::PathBuf;
use std::time::Duration;

use mynah_oracle::Dice;
use serde_json::json;

use crate::Failed;
use crate::server::{QUICK, Server};
use crate::traffic::{self, Outcome, Place};

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's binary.
    pub binary: PathBuf,
    /// Kills.
    pub kills: u32,
    /// Users, one device each.
    pub users: usize,
    /// Decides the rest.
    pub seed: u64,
}

/// Does it.
///
/// # Errors
/// When the server does not start, or something cannot be made.
pub async fn run(plan: &Plan) -> Result<Outcome, Failed> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start(&plan.binary, &folder.path().join("data"), QUICK).await?;
    let mut dice = Dice::new(plan.seed);
    let (appkey, master_secret) = (server.appkey.clone(), server.master_secret.clone());
    let place = Place { gateways: vec![server.http], appkey, master_secret };
    let mut run = traffic::prepare(&place, plan.users).await?;
    let senders = traffic::start_senders(&run, &mut dice, 50);
    let mut starts = Vec::new();
    for round in 0..plan.kills {
        tokio::time::sleep(Duration::from_millis(200 + dice.below(1000))).await;
        if round % 5 == 4 {
            // An upgrade in between: devices are told to go, and come back.
            server.stop().await?;
        }
        server.kill()?;
        tokio::time::sleep(Duration::from_millis(dice.below(100))).await;
        starts.push(server.restart().await?);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let settled = run.end(senders).await?;
    let slowest = u64::try_from(starts.iter().max().map_or(0, Duration::as_millis))?;
    run.judge(settled, json!({"kills": plan.kills, "seed": plan.seed, "slowest_start_ms": slowest})).await
}
