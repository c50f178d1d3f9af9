//! Which shards are this router's: its lease, what it claims and lets go, and the map that it tells others.
//!
//! Reading order: [`Ownership`] (the setting), `shards` (what every call looks at), `run` (the loop, one a
//! database).

mod claimer;
mod run;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use mynah_ports::ShardLeases;
use mynah_types::{RouterId, ShardRange};

pub(crate) use claimer::Claimer;
pub(crate) use run::{Owner, Running};
pub(crate) use shards::Shards;

/// Who owns the shards.
pub enum Ownership {
    /// This process, all of them: the log has no other writer.
    Sole,
    /// Routers share them: those of each database of the log apart from the others, under a lease of its own, so that one that is
    /// away takes nothing else with it. Each shard is in one range.
    Shared(Vec<Membership>),
}

/// A router among others.
pub struct Membership {
    /// The shards that are shared.
    pub range: ShardRange,
    /// The rows by which they share.
    pub leases: Arc<dyn ShardLeases>,
    /// This router: the same number whenever it starts, so that its shards come back to it.
    pub router: RouterId,
    /// Where others reach its service: host and port.
    pub address: String,
    /// How long it lives without a heartbeat.
    pub lease: Duration,
    /// The last part of the lease, in which it answers nothing out of its memory.
    pub margin: Duration,
    /// The pause between two heartbeats.
    pub heartbeat: Duration,
}

impl Membership {
    /// A member that shares all shards, with the usual times: a heartbeat each second, a lease of three, half a second of it not trusted.
    #[must_use]
    pub fn new(leases: Arc<dyn ShardLeases>, router: RouterId, address: impl Into<String>) -> Self {
        Self {
            range: ShardRange::ALL,
            leases,
            router,
            address: address.into(),
            lease: Duration::from_secs(3),
            margin: Duration::from_millis(500),
            heartbeat: Duration::from_secs(1),
        }
    }
}
