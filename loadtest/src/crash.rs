//! Kills the server again and again while everybody sends, and lets the oracle judge.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mynah_oracle::{Dice, Verdict};
use serde_json::{Value, json};

use crate::Failed;
use crate::server::{QUICK, Server};
use crate::traffic::{self, Place};

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

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Figures, for people and programs.
    pub figures: Value,
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
    let settled = Instant::now();
    senders.stop().await?;
    let live = traffic::settle(&run.notes).await;
    let live_ms = settled.elapsed().as_millis();
    run.devices.clear();
    traffic::prove(&run).await?;
    let verdict = run.notes.lock().judge();
    let slowest = starts.iter().max().map_or(0, Duration::as_millis);
    let mut figures = json!({
        "kills": plan.kills, "users": plan.users, "seed": plan.seed,
        "delivered_live": live.is_clean(), "settled_ms": u64::try_from(live_ms).unwrap_or(u64::MAX),
        "slowest_start_ms": u64::try_from(slowest).unwrap_or(u64::MAX),
    });
    if let (Value::Object(figures), Value::Object(counted)) = (&mut figures, run.figures()) {
        figures.extend(counted);
    }
    // What had to be pushed and was only found by asking again counts as lost.
    let verdict = if live.is_clean() { verdict } else { live };
    Ok(Outcome { verdict, figures })
}
