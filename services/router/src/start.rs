//! Putting a router together: shards claimed, actors' threads, writer, delivery.

use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle, System};
use futures_util::future::join_all;
use mynah_ports::shard_leases::Member;
use mynah_ports::{Bus, MessageLog, Presence, message_log};
use mynah_proto::DirectoryClient;
use mynah_types::{Clock, SHARDS, ShardId, ShardRange};
use parking_lot::Mutex;

use crate::conversation::{Registry, Shared};
use crate::delivery::{Delivery, Gateways, Progress};
use crate::log_writer::LogWriter;
use crate::ownership::{Claimer, Owner, Ownership, Running, Shards};
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
    /// Who owns the shards.
    pub ownership: Ownership,
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
    /// One a database.
    running: Arc<Vec<Running>>,
    _actors: Arc<ActorThreads>,
}

impl Router {
    /// Starts. A sole owner has claimed every shard then, and delivers again what the last one may not have delivered; a router among
    /// others claims its share when it can. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When a sole owner cannot claim the log, or threads cannot be had.
    pub async fn start(deps: Deps) -> Result<Self, StartError> {
        let Deps { log, bus, presence, directory, gateways, clock, ownership, settings } = deps;
        let shards = Arc::new(match &ownership {
            Ownership::Sole => Shards::sole(),
            Ownership::Shared(all) => Shards::shared(all.iter().map(|own| own.range)),
        });
        let memberships = match ownership {
            Ownership::Sole => Vec::new(),
            Ownership::Shared(all) => all,
        };
        let members: Vec<Arc<Mutex<Option<Member>>>> = memberships.iter().map(|_| Arc::default()).collect();
        let parts = || shards.parts().iter().map(Arc::clone);
        let mut claimers: Vec<(ShardRange, Claimer)> = Vec::new();
        for ((own, member), part) in memberships.iter().zip(&members).zip(parts()) {
            let (leases, member) = (Arc::clone(&own.leases), Arc::clone(member));
            claimers.push((own.range, Claimer::Member(leases, member, Arc::clone(&shards), part)));
        }
        let sole = claimers.is_empty();
        if sole {
            claimers.push((ShardRange::ALL, Claimer::Sole(Arc::clone(&log))));
        }
        let progress = Arc::new(Progress::new(settings.progress_every));
        let delivery = Delivery::start(presence, bus, gateways, Arc::clone(&progress), &settings);
        parts().for_each(|part| _ = tokio::spawn(delivery.clone().run_retries(Arc::clone(&log), part.range)));
        let writer = LogWriter::start(&log, claimers, &delivery, &progress, &settings);
        let (actors, arbiters) = ActorThreads::start(settings.arbiters).await?;
        let shared = Arc::new(Shared { log, directory, writer, delivery, clock, shards, settings });
        let registry = Arc::new(Registry::new(arbiters, Arc::clone(&shared)));
        if sole {
            own_everything(&shared, &progress).await?;
        }
        let running = memberships.into_iter().zip(members).zip(shared.shards.parts()).map(|((membership, member), part)| {
            Running::start(Owner {
                membership,
                part: Arc::clone(part),
                shards: Arc::clone(&shared.shards),
                registry: Arc::clone(&registry),
                writer: shared.writer.clone(),
                delivery: shared.delivery.clone(),
                progress: Arc::clone(&progress),
                log: Arc::clone(&shared.log),
                clock: Arc::clone(&shared.clock),
                member,
            })
        });
        let running = running.collect();
        Ok(Self { registry, shared, running: Arc::new(running), _actors: Arc::new(actors) })
    }

    /// Hands every shard over to the other routers, one by one, and leaves: nothing is refused by it, and nothing is lost.
    pub async fn leave(&self) {
        join_all(self.running.iter().map(Running::leave)).await;
    }

    /// The ranges of shards that have a database each, and whether this router has a lease there that it may trust; a sole owner
    /// needs none.
    pub fn leases(&self) -> impl Iterator<Item = (ShardRange, bool)> {
        self.shared.shards.parts().iter().map(|part| (part.range, part.speaks()))
    }

    /// How many shards are taken here.
    #[must_use]
    pub fn shards(&self) -> usize {
        (0..SHARDS).filter(|shard| self.shared.shards.takes(ShardId(*shard))).count()
    }
}

async fn own_everything(shared: &Shared, progress: &Progress) -> Result<(), StartError> {
    let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let claims = shared.log.claim(&shards).await?;
    progress.claimed(&claims);
    shared.writer.claimed(claims).await;
    for shard in shards {
        shared.delivery.redeliver(&*shared.log, shard).await?;
    }
    Ok(())
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
