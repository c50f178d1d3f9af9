//! What every call looks at: whether a shard is taken here, and whether this router may still speak as its owner.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use mynah_domain::ownership::Lease;
use mynah_proto::router::{RouterInfo, ShardMapReply};
use mynah_types::{Millis, SHARDS, ShardId};
use parking_lot::RwLock;
use tokio::sync::Notify;

/// How a shard stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Another's, or nobody's.
    Foreign = 0,
    /// Claimed; calls are taken.
    Owned = 1,
    /// Being handed over: what was taken is finished, nothing more is taken.
    Leaving = 2,
}

/// The shards as this router sees them.
pub(crate) struct Shards {
    standing: Vec<AtomicU8>,
    /// None: nobody else writes, and there is no lease.
    lease: RwLock<Option<Lease>>,
    began: Instant,
    map: RwLock<ShardMapReply>,
    /// The owner is to look at the rows now.
    pub(crate) look: Notify,
}

impl Shards {
    /// All are this process's own, for ever.
    pub(crate) fn sole() -> Self {
        let all = Self::none();
        (0..SHARDS).for_each(|shard| all.set(ShardId(shard), Standing::Owned));
        let itself = RouterInfo { id: 1, address: String::new() };
        *all.map.write() = ShardMapReply { routers: vec![itself], owners: vec![1; usize::from(SHARDS)] };
        all
    }

    /// None are, until they are claimed.
    pub(crate) fn none() -> Self {
        Self {
            standing: (0..SHARDS).map(|_| AtomicU8::new(Standing::Foreign as u8)).collect(),
            lease: RwLock::default(),
            began: Instant::now(),
            map: RwLock::default(),
            look: Notify::new(),
        }
    }

    /// This router's clock, which also runs while the process is stopped.
    pub(crate) fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Whether calls for a shard are taken here.
    pub(crate) fn takes(&self, shard: ShardId) -> bool {
        self.standing(shard) == Standing::Owned
    }

    pub(crate) fn standing(&self, shard: ShardId) -> Standing {
        match self.standing.get(usize::from(shard.0)).map(|s| s.load(Ordering::SeqCst)) {
            Some(1) => Standing::Owned,
            Some(2) => Standing::Leaving,
            _ => Standing::Foreign,
        }
    }

    pub(crate) fn set(&self, shard: ShardId, standing: Standing) {
        let Some(slot) = self.standing.get(usize::from(shard.0)) else { return };
        let before = slot.swap(standing as u8, Ordering::SeqCst) == Standing::Owned as u8;
        // By steps: several are set at one time, and the last count would win over the newest.
        match (before, standing == Standing::Owned) {
            (false, true) => metrics::gauge!("mynah_router_shards_owned").increment(1.0),
            (true, false) => metrics::gauge!("mynah_router_shards_owned").decrement(1.0),
            (true, true) | (false, false) => {}
        }
    }

    /// Whether what lies in memory may be answered: nobody else can have written since (interleavings item 16).
    pub(crate) fn speaks(&self) -> bool {
        self.lease.read().is_none_or(|lease| lease.holds(self.now()))
    }

    pub(crate) fn set_lease(&self, lease: Lease) {
        *self.lease.write() = Some(lease);
    }

    pub(crate) fn with(&self, standing: Standing) -> Vec<ShardId> {
        (0..SHARDS).map(ShardId).filter(|shard| self.standing(*shard) == standing).collect()
    }

    pub(crate) fn map(&self) -> ShardMapReply {
        self.map.read().clone()
    }

    pub(crate) fn set_map(&self, map: ShardMapReply) {
        *self.map.write() = map;
    }
}
