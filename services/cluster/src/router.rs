//! The router as a process: conversation actors, the message log, fan-out.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mynah_ports::{Bus, MessageLog, Presence};
use mynah_postgres_log::PostgresLog;
use mynah_proto::router::router_server::RouterServer;
use mynah_router::{Deps, Gateways, Membership, Ownership, Router};
use mynah_types::{RouterId, SystemClock};
use sha2::{Digest as _, Sha256};
use tonic::service::Routes;

use crate::peers::Finder;
use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::{engines, peers};

/// How often the live gateways are asked for when nothing else asks.
const GATEWAYS_EVERY: Duration = Duration::from_millis(500);

/// Runs it.
#[must_use]
pub fn main() -> ExitCode {
    let about = "Conversation actors, the message log and fan-out of a mynah deployment";
    process::run("router", &process::command("router", about).get_matches(), run)
}

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
    let log = engines::log(&process).await?;
    let (database, replicas) = (log.clone(), process.settings.log_sync_replicas);
    if replicas == 0 {
        tracing::warn!("log_sync_replicas is 0: what is acknowledged is as durable as one database server");
    }
    let lease = Duration::from_millis(process.settings.lease_ms);
    let usual = Membership::new(Arc::new(log.clone()), id_of(&process.settings.name), process.settings.address());
    let membership = Membership { lease, heartbeat: lease / 3, margin: lease / 6, ..usual };
    let finder = Arc::new(Finder(peers::fleet(&process, Arc::clone(&presence))));
    let log: Arc<dyn MessageLog> = Arc::new(log);
    let router = Router::start(Deps {
        log: Arc::clone(&log),
        bus: Arc::clone(&bus) as Arc<dyn Bus>,
        presence,
        directory: peers::directory(&process),
        gateways: Gateways::Found { finder, every: GATEWAYS_EVERY },
        clock: Arc::new(SystemClock),
        ownership: Ownership::Shared(membership),
        settings: mynah_router::Settings::default(),
    })
    .await?;
    let probed = router.clone();
    process.readiness.works(move || ready(probed.clone(), Arc::clone(&log), database.clone(), replicas));
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
    process.serve(routes, stop).await?.ended().await
}

async fn ready(router: Router, log: Arc<dyn MessageLog>, database: PostgresLog, replicas: u32) -> Result<(), String> {
    if !router.is_member() {
        return Err("no lease yet: the message log's database does not take heartbeats".into());
    }
    log.find_message(mynah_types::MsgId(1)).await.map_err(|error| error.to_string())?;
    let found = database.sync_replicas().await.map_err(|error| error.to_string())?;
    metrics::gauge!("mynah_router_log_sync_replicas").set(f64::from(found));
    if found < replicas {
        return Err(format!(
            "the message log's database has {found} synchronous replicas of {replicas}: a loss of it loses messages"
        ));
    }
    Ok(())
}

/// The same number for the same name, whenever it starts.
fn id_of(name: &str) -> RouterId {
    let digest = Sha256::digest(name.as_bytes());
    let bytes = digest.iter().take(8).fold(0, |number: u64, byte| (number << 8) | u64::from(*byte));
    RouterId(bytes)
}
