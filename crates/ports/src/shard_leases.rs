//! Which routers live, and which of them holds which shard: the rows beside the message log by which routers share it.
//!
//! Promises of every adapter (the contract suite holds each):
//! - time is the engine's clock alone; a router's clock counts for nothing;
//! - a lease that has ended is never renewed: its router begins anew with a higher incarnation;
//! - a shard is granted only if nobody holds it, its holder's lease has ended, or the claimer holds it itself; each grant raises the
//!   epoch and fences every earlier token in the log;
//! - a lease is not found ended while a heartbeat that came in time is still being written.

use std::time::Duration;

use async_trait::async_trait;
use mynah_types::{Claim, RouterId, ShardId};

/// Why the leases cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine is not reachable or refuses work. Whether a change was made is not known; each may be asked for again.
    #[error("shard leases unavailable: {0}")]
    Unavailable(String),
    /// Stored data contradicts itself: someone must look.
    #[error("shard leases damaged: {0}")]
    Damaged(String),
}

/// A router in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member {
    /// The router.
    pub router: RouterId,
    /// Its life, from 1 up and below 2^63: one above the last one when it begins anew.
    pub incarnation: u64,
}

/// A router whose lease has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRouter {
    /// Who.
    pub member: Member,
    /// Where it is reached.
    pub address: String,
    /// It hands its shards over and ends: others take its share.
    pub leaving: bool,
}

/// What a heartbeat did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// The lease runs from now on anew.
    Renewed,
    /// This incarnation's lease has ended, or it left. The router drops what it holds and begins anew.
    Expired {
        /// The router's highest incarnation so far: the next one is above it.
        newest: u64,
    },
    /// Another incarnation of the router, or the same at another address, has a lease that still runs. Try again when it has ended.
    Taken,
}

/// A row of the shard map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardHolder {
    /// The shard.
    pub shard: ShardId,
    /// How often it was claimed.
    pub epoch: u64,
    /// Who holds it; none when it was let go or never claimed.
    pub owner: Option<Member>,
    /// Where the owner is reached; none when there is no owner, or it has begun anew since.
    pub address: Option<String>,
    /// There is an owner, and its lease has ended.
    pub expired: bool,
}

/// The membership table and the shard map of one log.
#[async_trait]
pub trait ShardLeases: Send + Sync + 'static {
    /// Begins or renews a lease that ends `lasts` from now, also earlier than it would have ended. The first heartbeat of an
    /// incarnation begins it.
    async fn heartbeat(&self, member: Member, address: &str, lasts: Duration) -> Result<Heartbeat, Error>;

    /// The routers whose leases have not ended, by id.
    async fn live(&self) -> Result<Vec<LiveRouter>, Error>;

    /// All shards, by number.
    async fn shards(&self) -> Result<Vec<ShardHolder>, Error>;

    /// Claims shards for a router whose lease runs: those that were granted, in the order asked. When this returns, no append of an
    /// earlier owner of these takes effect any more, and none that did is still unseen. Nothing is granted without a lease.
    /// An owner that does not know its tokens, as when the answer was lost, claims again.
    async fn claim(&self, member: Member, shards: &[ShardId]) -> Result<Vec<Claim>, Error>;

    /// Lets go those of the shards that the member holds; its tokens for them are void from then on.
    async fn release(&self, member: Member, shards: &[ShardId]) -> Result<(), Error>;

    /// Says that the member hands its shards over and will end. Its lease runs on, by heartbeats.
    async fn leaving(&self, member: Member) -> Result<(), Error>;

    /// Lets go all that the member holds, and ends its lease.
    async fn leave(&self, member: Member) -> Result<(), Error>;
}
