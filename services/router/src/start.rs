//! Putting a router together: shards claimed, actors' threads, writer, delivery.

use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle, System};
use mynah_domain::writer::Composer;
use mynah_ports::{Bus, MessageLog, Presence, message_log};
use mynah_proto::DirectoryClient;
use mynah_types::{Clock, SHARDS, ShardId};

use crate::conversation::{Registry, Shared};
use crate::delivery::{Delivery, Gateways, Progress};
use crate::log_writer::LogWriter;
use crate::settings::Settings;

/// What a router works with.
pub struct Deps {
    /// Where entries are.
    pub log: Arc<dyn MessageLog>,
    /// Carries groups' and rooms' entries to the fan-out worker.
    pub bus: Arc<dyn Bus>,
    /// Who is connected where.
    pub presence: Arc<dyn Presence>,
    /// Membership and relations.
    pub directory: DirectoryClient,
    /// Where devices are.
    pub gateways: Gateways,
    /// The time that entries are stamped with.
    pub clock: Arc<dyn Clock>,
    /// Bounds and times.
    pub settings: Settings,
}

/// Why a router did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be owned.
    #[error("the shards cannot be claimed: {0}")]
    Claim(#[from] message_log::Error),
    /// No thread for the actors.
    #[error("the actors' threads do not start: {0}")]
    Threads(#[from] std::io::Error),
    /// The actors' thread ended before it was ready.
    #[error("the actors' thread ended at once")]
    Actors,
}

/// A running router; clones share it. Its actors end with the last clone.
#[derive(Clone)]
pub struct Router {
    pub(crate) registry: Arc<Registry>,
    pub(crate) shared: Arc<Shared>,
    _actors: Arc<ActorThreads>,
}

impl Router {
    /// Claims every shard, starts, and delivers again what the last owner may not have delivered. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When the log cannot be claimed, or threads cannot be had.
    pub async fn start(deps: Deps) -> Result<Self, StartError> {
        let Deps { log, bus, presence, directory, gateways, clock, settings } = deps;
        let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
        let claims = log.claim(&shards).await?;
        let mut composer = Composer::default();
        composer.claimed(&claims);
        let progress = Arc::new(Progress::new(settings.progress_every));
        progress.claimed(&claims);
        let delivery = Delivery::start(presence, bus, gateways, Arc::clone(&progress), &settings);
        tokio::spawn(delivery.clone().run_retries(Arc::clone(&log)));
        let writer = LogWriter::start(
            Arc::clone(&log),
            composer,
            delivery.clone(),
            progress,
            settings.writer_queue,
            settings.commit_entries,
        );
        let (actors, arbiters) = ActorThreads::start(settings.arbiters).await?;
        let shared = Arc::new(Shared { log, directory, writer, delivery, clock, settings });
        for claim in &claims {
            shared.delivery.redeliver(&*shared.log, claim.shard).await?;
        }
        let registry = Arc::new(Registry::new(arbiters, Arc::clone(&shared)));
        Ok(Self { registry, shared, _actors: Arc::new(actors) })
    }
}

/// The threads that run actors: an actix system on one of its own, and the arbiters.
struct ActorThreads(System);

impl ActorThreads {
    async fn start(arbiters: usize) -> Result<(Self, Vec<ArbiterHandle>), StartError> {
        let count = if arbiters == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { arbiters };
        let (ready, started) = tokio::sync::oneshot::channel();
        std::thread::Builder::new().name("mynah-actors".into()).spawn(move || {
            let runner = System::new();
            let handles = runner.block_on(async move { (0..count).map(|_| Arbiter::new().handle()).collect::<Vec<_>>() });
            if ready.send((System::current(), handles)).is_ok()
                && let Err(error) = runner.run()
            {
                tracing::error!(%error, "the actors' thread ended");
            }
        })?;
        let (system, handles) = started.await.map_err(|_| StartError::Actors)?;
        Ok((Self(system), handles))
    }
}

impl Drop for ActorThreads {
    fn drop(&mut self) {
        self.0.stop();
    }
}
