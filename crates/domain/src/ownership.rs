//! Which router owns which shard, and whether one may still speak as an owner.
//!
//! Every router decides alike from the same list of live routers; nobody is in charge. What is decided here only says who should
//! try: what fences is the token that the log holds.

use mynah_types::{Millis, RouterId, ShardId};

/// The owner that each of some shards should have, in the order given; empty if nobody lives. They are what is shared: all shards, or
/// those of one database of several, each of which is shared by itself.
///
/// Rendezvous hashing with a bound: a shard goes to the router that it likes best among those with room, and each has room for its
/// even share, one more where that does not come out even. So loads differ by one, and few shards move when a router comes or goes.
#[must_use]
pub fn wanted(live: &[RouterId], shards: &[ShardId]) -> Vec<RouterId> {
    let mut live = live.to_vec();
    live.sort_unstable();
    live.dedup();
    if live.is_empty() {
        return Vec::new();
    }
    let share = shards.len() / live.len();
    let mut over = shards.len() % live.len();
    let mut loads = vec![0; live.len()];
    let mut owners = vec![None; shards.len()];
    // The strongest wishes first, so that who comes late to a full router is the one that cares least.
    let mut wishes: Vec<(u64, usize, usize)> = shards
        .iter()
        .enumerate()
        .flat_map(|(at, shard)| live.iter().enumerate().map(move |(nth, router)| (weight(*shard, *router), at, nth)))
        .collect();
    wishes.sort_unstable_by(|a, b| b.cmp(a));
    for (_, at, nth) in wishes {
        let (Some(owner), Some(load), Some(router)) = (owners.get_mut(at), loads.get_mut(nth), live.get(nth)) else { continue };
        let room = *load < share || (*load == share && over > 0);
        if owner.is_none() && room {
            over -= usize::from(*load == share);
            *load += 1;
            *owner = Some(*router);
        }
    }
    // There is room for every shard.
    owners.into_iter().flatten().collect()
}

/// How much a shard likes a router: the finaliser of `SplitMix64` over both numbers.
fn weight(shard: ShardId, router: RouterId) -> u64 {
    let mut mixed = router.0 ^ (u64::from(shard.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a shard's row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The shard.
    pub shard: ShardId,
    /// Its owner, if it has one.
    pub owner: Option<RouterId>,
    /// The owner's lease has ended by the database's clock.
    pub expired: bool,
    /// It is the asking router's by its row, and not in its memory: an answer was lost on the way.
    pub lost: bool,
}

/// What a router does about its shards now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those to claim: they should be its own, and nobody holds them.
    pub claim: Vec<ShardId>,
    /// Those to hand over: it holds them and another one should.
    pub release: Vec<ShardId>,
    /// How many it should have.
    pub share: usize,
}

/// What `me` does, of the live routers, with the shards as their rows say: all that are shared together. A shard that another one holds is left until it is let go
/// or its lease has ended.
#[must_use]
pub fn plan(me: RouterId, live: &[RouterId], shards: &[Held]) -> Plan {
    let ids: Vec<ShardId> = shards.iter().map(|held| held.shard).collect();
    let wanted = wanted(live, &ids);
    let mut plan = Plan::default();
    for (at, held) in shards.iter().enumerate() {
        let mine = wanted.get(at) == Some(&me);
        plan.share += usize::from(mine);
        match held.owner {
            Some(owner) if owner == me && !held.expired => {
                if mine && held.lost {
                    plan.claim.push(held.shard);
                }
                // Nobody else lives who would take it: it stays.
                if !mine && !wanted.is_empty() {
                    plan.release.push(held.shard);
                }
            }
            Some(_) if !held.expired => {}
            Some(_) | None => {
                if mine {
                    plan.claim.push(held.shard);
                }
            }
        }
    }
    plan
}

/// Whether a router that starts may be one of several that start at one time, as after a loss of power: nobody holds a shard, and another
/// one was the last to hold some.
#[must_use]
pub fn all_begin(me: RouterId, shards: &[Held]) -> bool {
    let free = |held: &Held| held.owner.is_none() || held.expired;
    shards.iter().all(free) && shards.iter().any(|held| held.owner.is_some_and(|owner| owner != me))
}

/// A router's lease as the router itself sees it: by its own monotonic clock, counted from when a heartbeat was sent, never from when
/// its answer came.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    lasts: Millis,
    margin: Millis,
    sent: Option<Millis>,
    lost: bool,
}

impl Lease {
    /// A lease of `lasts`, of which the last `margin` is not trusted. Nothing is held yet.
    #[must_use]
    pub fn new(lasts: Millis, margin: Millis) -> Self {
        Self { lasts, margin, sent: None, lost: false }
    }

    /// A heartbeat that was sent at `sent` was taken. One that comes after the lease had ended does not bring it back: the router
    /// begins anew, with another incarnation.
    pub fn renewed(&mut self, sent: Millis) {
        if !self.lost && self.sent.is_none_or(|last| sent > last) {
            self.lost = self.sent.is_some_and(|last| sent >= last + self.lasts);
            self.sent = Some(sent);
        }
    }

    /// The database said that the lease is no more.
    pub fn refused(&mut self) {
        self.lost = true;
    }

    /// Whether answers may be given without asking the log.
    #[must_use]
    pub fn holds(&self, now: Millis) -> bool {
        !self.lost && self.sent.is_some_and(|sent| now < (sent + self.lasts).saturating_sub(self.margin))
    }

    /// Whether the router must drop its actors and begin anew.
    #[must_use]
    pub fn is_over(&self, now: Millis) -> bool {
        self.lost || self.sent.is_some_and(|sent| now >= sent + self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use mynah_types::SHARDS;

    use super::*;

    fn all() -> Vec<ShardId> {
        (0..SHARDS).map(ShardId).collect()
    }

    fn routers(count: u64) -> Vec<RouterId> {
        (1..=count).map(|n| RouterId(n * 7919)).collect()
    }

    fn loads(owners: &[RouterId]) -> HashMap<RouterId, usize> {
        let mut loads = HashMap::new();
        for owner in owners {
            *loads.entry(*owner).or_default() += 1;
        }
        loads
    }

    #[test]
    fn loads_differ_by_one() {
        for count in 1..=16 {
            let live = routers(count);
            let owners = wanted(&live, &all());
            assert_eq!(owners.len(), usize::from(SHARDS));
            let even = usize::from(SHARDS) / live.len();
            let loads = loads(&owners);
            assert!(live.iter().all(|router| [even, even + 1].contains(&loads[router])), "{count} routers: {loads:?}");
        }
    }

    #[test]
    fn everybody_decides_alike() {
        let live = routers(5);
        let mut other = live.clone();
        other.reverse();
        other.push(live[2]);
        assert_eq!(wanted(&live, &all()), wanted(&other, &all()));
        assert!(wanted(&[], &all()).is_empty());
    }

    /// Each of several databases is shared by itself, whatever becomes of the others.
    #[test]
    fn a_part_of_the_shards_is_shared_evenly_by_itself() {
        let live = routers(3);
        for part in [&all()[..100], &all()[100..]] {
            let loads = loads(&wanted(&live, part));
            assert!(loads.len() == 3 && loads.values().all(|load| part.len() / 3 <= *load && *load <= part.len() / 3 + 1));
            let rows: Vec<Held> =
                part.iter().map(|shard| Held { shard: *shard, owner: None, expired: false, lost: false }).collect();
            let claimed: Vec<ShardId> = live.iter().flat_map(|me| plan(*me, &live, &rows).claim).collect();
            assert_eq!(claimed.len(), part.len());
            assert!(claimed.iter().all(|shard| part.contains(shard)));
        }
    }

    #[test]
    fn few_shards_move_when_a_router_comes_or_goes() {
        for count in 1..=8 {
            let (before, after) = (wanted(&routers(count), &all()), wanted(&routers(count + 1), &all()));
            let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count() as f64;
            let least = f64::from(SHARDS) / (count + 1) as f64;
            assert!(moved <= least * 1.7, "{count} to {}: {moved} moved, {least} must", count + 1);
        }
    }

    /// Routers that follow their plans, one after another in any order, come to rest with each shard held by the wanted one.
    #[test]
    fn plans_lead_to_what_is_wanted_and_never_take_what_is_held() {
        let live = routers(3);
        let mut rows: Vec<Held> =
            (0..SHARDS).map(|n| Held { shard: ShardId(n), owner: Some(live[0]), expired: false, lost: false }).collect();
        rows[7] = Held { owner: Some(RouterId(1)), expired: true, ..rows[7] };
        rows[9] = Held { owner: None, ..rows[9] };
        rows[11] = Held { owner: Some(RouterId(2)), ..rows[11] };
        for round in 0..4 {
            for me in &live {
                let plan = plan(*me, &live, &rows);
                for shard in plan.claim {
                    let row = &mut rows[usize::from(shard.0)];
                    assert!(row.owner.is_none() || row.expired, "round {round}: held by {:?}", row.owner);
                    *row = Held { owner: Some(*me), expired: false, ..*row };
                }
                for shard in plan.release {
                    let row = &mut rows[usize::from(shard.0)];
                    assert_eq!(row.owner, Some(*me));
                    row.owner = None;
                }
            }
        }
        for (row, wanted) in rows.iter().zip(wanted(&live, &all())) {
            let dead_but_leased = row.shard == ShardId(11);
            assert_eq!(row.owner, Some(if dead_but_leased { RouterId(2) } else { wanted }), "{:?}", row.shard);
        }
    }

    #[test]
    fn what_is_held_by_its_row_only_is_claimed_again_or_let_go() {
        let live = routers(2);
        let row = |n| Held { shard: ShardId(n), owner: Some(live[0]), expired: false, lost: true };
        let rows: Vec<Held> = (0..SHARDS).map(row).collect();
        let plan = plan(live[0], &live, &rows);
        assert_eq!((plan.claim.len(), plan.release.len(), plan.share), (128, 128, 128));
        let kept: Vec<Held> = rows.iter().map(|row| Held { lost: false, ..*row }).collect();
        assert!(super::plan(live[0], &live, &kept).claim.is_empty());
    }

    #[test]
    fn all_begin_when_nobody_holds_a_shard_and_another_one_did() {
        let row = |n, owner: Option<u64>, expired| Held { shard: ShardId(n), owner: owner.map(RouterId), expired, lost: false };
        let begin = |rows: &[Held]| all_begin(RouterId(1), rows);
        assert!(begin(&[row(0, Some(1), true), row(1, Some(2), true), row(2, None, false)]));
        assert!(!begin(&[row(0, Some(1), true), row(1, Some(2), true), row(2, Some(3), false)]), "another one lives");
        assert!(!begin(&[row(0, Some(1), true), row(1, None, false)]), "it was alone");
        assert!(!begin(&[row(0, None, false), row(1, None, false)]), "nobody was here, or all of them left");
    }

    #[test]
    fn a_lease_counts_from_when_its_heartbeat_was_sent() {
        let mut lease = Lease::new(3000, 500);
        assert!(!lease.holds(0) && !lease.is_over(0));
        lease.renewed(1000);
        assert!(lease.holds(3499) && !lease.holds(3500), "the margin is not trusted");
        assert!(!lease.is_over(3999) && lease.is_over(4000));
        lease.renewed(2000);
        lease.renewed(1500);
        assert!(lease.holds(4499), "an older heartbeat takes nothing away");
        // It slept past its lease: a heartbeat that still gets through does not bring it back.
        lease.renewed(9000);
        assert!(lease.is_over(9001) && !lease.holds(9001));
    }

    #[test]
    fn a_refused_lease_is_over_at_once() {
        let mut lease = Lease::new(3000, 500);
        lease.renewed(1000);
        lease.refused();
        assert!(lease.is_over(1001) && !lease.holds(1001));
    }
}
