//! What every call looks at: whether a shard is taken here, and whether this router may still speak as its owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use mynah_domain::ownership::Lease;
use mynah_proto::router::{RouterInfo, ShardMapReply};
use mynah_types::{Millis, SHARDS, ShardId, ShardRange};
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
    parts: Vec<Arc<Part>>,
}

/// The shards of one database: under one lease, whatever becomes of the others.
pub(crate) struct Part {
    pub(crate) range: ShardRange,
    /// None: nobody else writes, and there is no lease.
    lease: RwLock<Option<Lease>>,
    began: Instant,
    rows: RwLock<Rows>,
    /// The owner is to look at the rows now.
    pub(crate) look: Notify,
}

/// What the rows of a database said when they were looked at last.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Who lives.
    pub(crate) routers: Vec<RouterInfo>,
    /// Shards, and the number of who holds each.
    pub(crate) owners: Vec<(ShardId, u64)>,
}

impl Part {
    fn new(range: ShardRange, lease: Option<Lease>) -> Arc<Self> {
        let (lease, rows) = (RwLock::new(lease), RwLock::default());
        Arc::new(Self { range, lease, began: Instant::now(), rows, look: Notify::new() })
    }

    /// This router's clock, which also runs while the process is stopped.
    pub(crate) fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Whether what lies in memory may be answered: nobody else can have written since.
    pub(crate) fn speaks(&self) -> bool {
        self.lease.read().is_none_or(|lease| lease.holds(self.now()))
    }

    pub(crate) fn set_lease(&self, lease: Lease) {
        *self.lease.write() = Some(lease);
    }

    pub(crate) fn set_rows(&self, rows: Rows) {
        *self.rows.write() = rows;
    }
}

impl Shards {
    /// All are this process's own, for ever.
    pub(crate) fn sole() -> Self {
        let part = Part::new(ShardRange::ALL, None);
        let itself = RouterInfo { id: 1, address: String::new() };
        part.set_rows(Rows { routers: vec![itself], owners: ShardRange::ALL.shards().map(|shard| (shard, 1)).collect() });
        let all = Self { standing: foreign(), parts: vec![part] };
        ShardRange::ALL.shards().for_each(|shard| all.set(shard, Standing::Owned));
        all
    }

    /// None are, until they are claimed: those of each range under a lease of their own.
    pub(crate) fn shared(ranges: impl Iterator<Item = ShardRange>) -> Self {
        Self { standing: foreign(), parts: ranges.map(|range| Part::new(range, Some(Lease::new(0, 0)))).collect() }
    }

    pub(crate) fn parts(&self) -> &[Arc<Part>] {
        &self.parts
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

    /// Whether what lies in memory of a shard may be answered.
    pub(crate) fn speaks(&self, shard: ShardId) -> bool {
        self.parts.iter().find(|part| part.range.contains(shard)).is_some_and(|part| part.speaks())
    }

    /// Those of a range.
    pub(crate) fn with(&self, range: ShardRange, standing: Standing) -> Vec<ShardId> {
        range.shards().filter(|shard| self.standing(*shard) == standing).collect()
    }

    /// The map that others go by. A database that cannot be asked tells nothing new: of its routers those count that live by another.
    pub(crate) fn map(&self) -> ShardMapReply {
        let mut map = ShardMapReply { owners: vec![0; usize::from(SHARDS)], ..ShardMapReply::default() };
        let (asked, unasked): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| part.speaks());
        let known = if asked.is_empty() { &unasked } else { &asked };
        for part in known {
            for router in &part.rows.read().routers {
                if !map.routers.iter().any(|other| other.id == router.id) {
                    map.routers.push(router.clone());
                }
            }
        }
        for part in &self.parts {
            for (shard, owner) in &part.rows.read().owners {
                let place = map.routers.iter().position(|router| router.id == *owner);
                if let Some(slot) = map.owners.get_mut(usize::from(shard.0)) {
                    // Counted from 1; 0 is nobody.
                    *slot = place.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0);
                }
            }
        }
        map
    }
}

fn foreign() -> Vec<AtomicU8> {
    (0..SHARDS).map(|_| AtomicU8::new(Standing::Foreign as u8)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn two() -> Shards {
        Shards::shared(["0-127", "128-255"].into_iter().map(|range| range.parse().unwrap()))
    }

    fn held() -> Lease {
        let mut lease = Lease::new(60_000, 0);
        lease.renewed(0);
        lease
    }

    fn rows(range: ShardRange, routers: &[u64], owner: u64) -> Rows {
        let routers = routers.iter().map(|id| RouterInfo { id: *id, address: format!("router-{id}") }).collect();
        Rows { routers, owners: range.shards().map(|shard| (shard, owner)).collect() }
    }

    /// A lease speaks for the shards of its own database, and for no other one.
    #[test]
    fn a_lease_speaks_for_its_own_shards() {
        let shards = two();
        assert!(!shards.speaks(ShardId(0)) && !shards.speaks(ShardId(255)), "none is had yet");
        shards.parts()[1].set_lease(held());
        assert!(!shards.speaks(ShardId(0)) && !shards.speaks(ShardId(127)));
        assert!(shards.speaks(ShardId(128)) && shards.speaks(ShardId(255)));
        let mut lost = held();
        lost.refused();
        shards.parts()[1].set_lease(lost);
        assert!(!shards.speaks(ShardId(128)));
    }

    #[test]
    fn the_map_is_put_together_of_what_each_database_tells() {
        let shards = two();
        let (low, high) = (&shards.parts()[0], &shards.parts()[1]);
        low.set_lease(held());
        low.set_rows(rows(low.range, &[7, 9], 9));
        high.set_lease(held());
        high.set_rows(rows(high.range, &[9, 7], 7));
        let map = shards.map();
        let owner = |shard: usize| map.routers[map.owners[shard] as usize - 1].address.clone();
        assert_eq!((map.routers.len(), map.owners.len()), (2, 256));
        assert_eq!(
            (owner(0), owner(127), owner(128), owner(255)),
            ("router-9".into(), "router-9".into(), "router-7".into(), "router-7".into())
        );
        // 7 is gone, as the database that answers tells; what it had by the other one is nobody's.
        let mut lost = held();
        lost.refused();
        high.set_lease(lost);
        low.set_rows(rows(low.range, &[9], 9));
        let map = shards.map();
        assert_eq!(map.routers.iter().map(|router| router.id).collect::<Vec<_>>(), [9]);
        assert_eq!((map.owners[0], map.owners[255]), (1, 0));
    }
}
