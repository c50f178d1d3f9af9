//! Which shards are this router's: its lease, what it claims and lets go, and the map that it tells others.
//!
//! Reading order: [`Ownership`] (the setting), `shards` (what every call looks at), `run` (the loop).

mod claimer;
mod run;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use mynah_ports::ShardLeases;
use mynah_types::RouterId;

pub(crate) use claimer::Claimer;
pub(crate) use run::{Owner, Running};
pub(crate) use shards::Shards;

/// Who owns the shards.
pub enum Ownership {
    /// This process, all of them: the log has no other writer.
    Sole,
    /// Routers share them.
    Shared(Membership),
}

/// A router among others.
pub struct Membership {
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
    /// A member with the usual times: a heartbeat each second, a lease of three, half a second of it not trusted.
    #[must_use]
    pub fn new(leases: Arc<dyn ShardLeases>, router: RouterId, address: impl Into<String>) -> Self {
        Self {
            leases,
            router,
            address: address.into(),
            lease: Duration::from_secs(3),
            margin: Duration::from_millis(500),
            heartbeat: Duration::from_secs(1),
        }
    }
}
