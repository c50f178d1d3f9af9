//! The router as a process: conversation actors, the message log, fan-out.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Command;
use futures_util::future::join_all;
use mynah_ports::{Bus, MessageLog, Presence};
use mynah_postgres_log::{Migrated, PostgresLog, ShardedLog};
use mynah_proto::router::router_server::RouterServer;
use mynah_router::{Deps, Gateways, Membership, Ownership, Router};
use mynah_runtime::ops::Ready;
use mynah_types::{MsgId, RouterId, ShardRange};
use sha2::{Digest as _, Sha256};
use tonic::service::Routes;

use crate::peers::Finder;
use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::{clock, engines, peers};

/// How often the live gateways are asked for when nothing else asks.
const GATEWAYS_EVERY: Duration = Duration::from_millis(500);

/// How long a database may take to answer who asks whether this router works.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// Runs it.
#[must_use]
pub fn main() -> ExitCode {
    let about = "Conversation actors, the message log and fan-out of a mynah deployment; without a command it serves";
    let migration =
        Command::new("migrate").about("Bring the schemas of the message log's databases up to date, say what was done, and end");
    let matches = process::command("router", about).subcommand(migration).get_matches();
    match matches.subcommand_name() {
        Some(_) => process::run("router", &matches, migrate),
        None => process::run("router", &matches, run),
    }
}

/// What every router does when it starts, for all databases at once: it fails before anything is replaced.
async fn migrate(settings: Settings) -> Outcome {
    settings.require(&[("log_database", !settings.log_database.is_empty())])?;
    let log = engines::whole_log(&settings).await?;
    let mut out = std::io::stdout().lock();
    for part in log.parts() {
        let Some(Migrated { from, to }) = part.migrated() else { continue };
        let done = match from {
            0 => format!("made with schema {to}"),
            from if from < to => format!("brought from schema {from} to {to}"),
            _ => format!("has schema {to} already"),
        };
        writeln!(out, "log_database, shards {}: {done}", part.range())?;
    }
    Ok(())
}

/// The longest rest of a log writer: PostgreSQL is shared.
const COMMIT_REST: Duration = Duration::from_millis(4);

async fn run(settings: Settings) -> Outcome {
    settings.require(&[
        ("name", !settings.name.is_empty()),
        ("directories", !settings.directories.is_empty()),
        ("log_database", !settings.log_database.is_empty()),
        ("redis", !settings.redis.is_empty()),
        ("kafka", !settings.kafka.is_empty()),
    ])?;
    let process = Process::begin(settings).await?;
    let presence: Arc<dyn Presence> = Arc::new(engines::reader(&process)?);
    let bus = Arc::new(engines::bus(&process)?);
    let log = engines::log(&process, false).await?;
    let (databases, replicas) = (log.clone(), process.settings.log_sync_replicas);
    if replicas == 0 {
        tracing::warn!("log_sync_replicas is 0: what is acknowledged is as durable as one database server");
    }
    let memberships = log.parts().iter().map(|part| membership(&process.settings, part)).collect();
    if let Some(first) = databases.parts().first() {
        clock::follow(&process.clock, first.clone());
    }
    let finder = Arc::new(Finder(peers::fleet(&process, Arc::clone(&presence))));
    let router = Router::start(Deps {
        log: Arc::new(log),
        bus: Arc::clone(&bus) as Arc<dyn Bus>,
        presence,
        directory: peers::directory(&process),
        gateways: Gateways::Found { finder, every: GATEWAYS_EVERY },
        clock: Arc::clone(&process.clock) as _,
        ownership: Ownership::Shared(memberships),
        settings: mynah_router::Settings { commit_rest: COMMIT_REST, ..mynah_router::Settings::default() },
    })
    .await?;
    let probed = router.clone();
    process.readiness.works(move || ready(probed.clone(), databases.clone(), replicas));
    let leaving = router.clone();
    let (stopped, readiness) = (process.stopped(), process.readiness.clone());
    // Calls are served until every shard is handed over: those who come late are told whom to ask.
    let stop = async move {
        stopped.await;
        readiness.ends();
        leaving.leave().await;
        // Its partitions of the bus go to the others at once.
        bus.close().await;
    };
    let routes = Routes::new(RouterServer::new(router));
    process.serve(routes, None, stop).await?.ended().await
}

/// A member of those who share a database.
fn membership(settings: &Settings, part: &PostgresLog) -> Membership {
    let lease = Duration::from_millis(settings.lease_ms);
    let usual = Membership::new(Arc::new(part.clone()), id_of(&settings.name), settings.address());
    Membership { range: part.range(), lease, heartbeat: lease / 3, margin: lease / 6, ..usual }
}

/// It works if it works with one database: those that are away take down their own shards only, which the metrics tell.
async fn ready(router: Router, log: ShardedLog, replicas: u32) -> Ready {
    let leases: HashMap<ShardRange, bool> = router.leases().collect();
    let asked = log.parts().iter().map(|part| async {
        let held = leases.get(&part.range()).copied().unwrap_or(false);
        match tokio::time::timeout(ASK_WITHIN, works(part, held)).await {
            Ok(found) => (part.range(), found),
            Err(_) => (part.range(), Err("the message log's database does not answer in time".into())),
        }
    });
    let (mut working, mut wrong) = (false, Vec::new());
    for (range, found) in join_all(asked).await {
        let of = |text: String| if log.parts().len() == 1 { text } else { format!("shards {range}: {text}") };
        match found {
            Ok(found) if found < replicas => {
                let text = format!(
                    "the message log's database has {found} synchronous replicas of {replicas}: a loss of it loses messages"
                );
                return Err(of(text));
            }
            Ok(_) => working = true,
            Err(error) => wrong.push(of(error)),
        }
    }
    if working { Ok(None) } else { Err(wrong.join("; ")) }
}

/// Whether a database takes heartbeats and answers; its synchronous replicas.
async fn works(part: &PostgresLog, held: bool) -> Result<u32, String> {
    if !held {
        return Err("no lease yet: the message log's database does not take heartbeats".into());
    }
    part.find_message(MsgId(1)).await.map_err(|error| error.to_string())?;
    let found = part.sync_replicas().await.map_err(|error| error.to_string())?;
    metrics::gauge!("mynah_router_log_sync_replicas", "range" => part.range().to_string()).set(f64::from(found));
    Ok(found)
}

/// The same number for the same name, whenever it starts.
fn id_of(name: &str) -> RouterId {
    let digest = Sha256::digest(name.as_bytes());
    let bytes = digest.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
    RouterId(bytes)
}
