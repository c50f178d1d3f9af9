//! What every [`ShardLeases`] must do. An adapter's test names a function that makes one in a fresh, empty namespace:
//!
//! ```ignore
//! mynah_ports::shard_leases_contract!(fresh);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

use std::collections::HashSet;
use std::time::Duration;

use mynah_types::{RouterId, SHARDS, ShardId};

use crate::ShardLeases;
use crate::shard_leases::{Heartbeat, LiveRouter, Member, ShardHolder};

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! shard_leases_contract {
    ($fresh:path) => {
        $crate::shard_leases_contract!(@cases $fresh;
            a_router_lives_by_its_heartbeats, a_lease_that_has_ended_is_not_renewed, a_name_has_one_living_bearer,
            a_held_shard_is_granted_to_its_owner_alone, a_shard_is_free_when_its_owners_lease_has_ended,
            nothing_is_granted_without_a_lease, what_is_let_go_is_free, who_goes_says_so_and_keeps_what_he_holds,
            who_leaves_holds_nothing_and_does_not_come_back,
            racing_claims_grant_a_shard_once, the_map_tells_owner_address_and_epoch
        );
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::shard_leases::$case(&$fresh()).await;
            }
        )+
    };
}

/// A lease that does not end while a test runs.
const LONG: Duration = Duration::from_secs(600);
/// The largest and a small id: the order of ids is that of unsigned numbers.
const ONE: Member = Member { router: RouterId(7), incarnation: 1 };
const TWO: Member = Member { router: RouterId(u64::MAX), incarnation: 1 };

fn again(member: Member, incarnation: u64) -> Member {
    Member { incarnation, ..member }
}

async fn beat(leases: &impl ShardLeases, member: Member, lasts: Duration) -> Heartbeat {
    leases.heartbeat(member, &format!("router-{}", member.router), lasts).await.unwrap()
}

async fn alive(leases: &impl ShardLeases, member: Member) {
    assert_eq!(beat(leases, member, LONG).await, Heartbeat::Renewed);
}

/// Its lease ends now.
async fn dead(leases: &impl ShardLeases, member: Member) {
    assert_eq!(beat(leases, member, Duration::ZERO).await, Heartbeat::Renewed);
}

async fn granted(leases: &impl ShardLeases, member: Member, shards: &[u16]) -> Vec<u16> {
    let shards: Vec<ShardId> = shards.iter().copied().map(ShardId).collect();
    leases.claim(member, &shards).await.unwrap().iter().map(|claim| claim.shard.0).collect()
}

async fn owners(leases: &impl ShardLeases, shards: &[u16]) -> Vec<Option<Member>> {
    let map = leases.shards().await.unwrap();
    shards.iter().map(|shard| map[usize::from(*shard)].owner).collect()
}

pub async fn a_router_lives_by_its_heartbeats(leases: &impl ShardLeases) {
    assert_eq!(leases.live().await.unwrap(), []);
    alive(leases, TWO).await;
    alive(leases, ONE).await;
    alive(leases, ONE).await;
    let one = LiveRouter { member: ONE, address: "router-7".into(), leaving: false };
    let two = LiveRouter { member: TWO, address: format!("router-{}", u64::MAX), leaving: false };
    assert_eq!(leases.live().await.unwrap(), [one, two.clone()]);
    dead(leases, ONE).await;
    assert_eq!(leases.live().await.unwrap(), [two]);
}

pub async fn a_lease_that_has_ended_is_not_renewed(leases: &impl ShardLeases) {
    dead(leases, again(ONE, 4)).await;
    assert_eq!(beat(leases, again(ONE, 4), LONG).await, Heartbeat::Expired { newest: 4 });
    assert_eq!(beat(leases, again(ONE, 3), LONG).await, Heartbeat::Expired { newest: 4 });
    assert_eq!(leases.live().await.unwrap(), []);
    alive(leases, again(ONE, 5)).await;
    assert_eq!(beat(leases, again(ONE, 4), LONG).await, Heartbeat::Expired { newest: 5 });
    assert_eq!(leases.live().await.unwrap()[0].member, again(ONE, 5));
}

pub async fn a_name_has_one_living_bearer(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    assert_eq!(beat(leases, again(ONE, 2), LONG).await, Heartbeat::Taken);
    assert_eq!(leases.heartbeat(ONE, "elsewhere", LONG).await.unwrap(), Heartbeat::Taken);
    assert_eq!(leases.live().await.unwrap(), [LiveRouter { member: ONE, address: "router-7".into(), leaving: false }]);
    dead(leases, ONE).await;
    alive(leases, again(ONE, 2)).await;
}

pub async fn a_held_shard_is_granted_to_its_owner_alone(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    let first = leases.claim(ONE, &[ShardId(5), ShardId(3)]).await.unwrap();
    assert_eq!(first.iter().map(|claim| (claim.shard.0, claim.epoch)).collect::<Vec<_>>(), [(5, 1), (3, 1)]);
    assert_ne!(first[0].token, first[1].token);
    assert_eq!(granted(leases, TWO, &[6, 5, 3, 4]).await, [6, 4]);
    assert_eq!(owners(leases, &[3, 4, 5, 6]).await, [Some(ONE), Some(TWO), Some(ONE), Some(TWO)]);
    let second = leases.claim(ONE, &[ShardId(5)]).await.unwrap();
    assert_eq!(second[0].epoch, 2);
    assert_ne!(second[0].token, first[0].token);
    assert!(second[0].counter >= first[0].counter);
}

pub async fn a_shard_is_free_when_its_owners_lease_has_ended(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    let first = leases.claim(ONE, &[ShardId(9)]).await.unwrap();
    dead(leases, ONE).await;
    let second = leases.claim(TWO, &[ShardId(9)]).await.unwrap();
    assert_eq!(second[0].epoch, 2);
    assert_ne!(second[0].token, first[0].token);
    // The next life of the first one does not own what the last one did.
    alive(leases, again(ONE, 2)).await;
    assert_eq!(granted(leases, again(ONE, 2), &[9]).await, [0; 0]);
    // A router that begins anew takes its own shards as anybody does.
    dead(leases, TWO).await;
    alive(leases, again(TWO, 2)).await;
    assert_eq!(granted(leases, again(TWO, 2), &[9]).await, [9]);
}

pub async fn nothing_is_granted_without_a_lease(leases: &impl ShardLeases) {
    assert_eq!(granted(leases, ONE, &[1]).await, [0; 0]);
    alive(leases, ONE).await;
    assert_eq!(granted(leases, again(ONE, 2), &[1]).await, [0; 0]);
    dead(leases, ONE).await;
    assert_eq!(granted(leases, ONE, &[1]).await, [0; 0]);
    assert_eq!(owners(leases, &[1]).await, [None]);
}

pub async fn what_is_let_go_is_free(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    assert_eq!(granted(leases, ONE, &[1, 2, 3]).await, [1, 2, 3]);
    leases.release(TWO, &[ShardId(1)]).await.unwrap();
    leases.release(ONE, &[ShardId(2), ShardId(200)]).await.unwrap();
    assert_eq!(owners(leases, &[1, 2, 3]).await, [Some(ONE), None, Some(ONE)]);
    assert_eq!(granted(leases, TWO, &[1, 2, 3]).await, [2]);
    leases.release(ONE, &[ShardId(2)]).await.unwrap();
    assert_eq!(owners(leases, &[2]).await, [Some(TWO)]);
}

pub async fn who_leaves_holds_nothing_and_does_not_come_back(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    assert_eq!(granted(leases, ONE, &[1, 2]).await, [1, 2]);
    assert_eq!(granted(leases, TWO, &[3]).await, [3]);
    leases.leave(ONE).await.unwrap();
    leases.leave(ONE).await.unwrap();
    assert_eq!(leases.live().await.unwrap().len(), 1);
    assert_eq!(owners(leases, &[1, 2, 3]).await, [None, None, Some(TWO)]);
    assert_eq!(beat(leases, ONE, LONG).await, Heartbeat::Expired { newest: 1 });
    // The next life need not wait, and an earlier one that leaves takes nothing from it.
    alive(leases, again(ONE, 2)).await;
    assert_eq!(granted(leases, again(ONE, 2), &[1]).await, [1]);
    leases.leave(ONE).await.unwrap();
    assert_eq!(owners(leases, &[1]).await, [Some(again(ONE, 2))]);
    assert_eq!(leases.live().await.unwrap().len(), 2);
}

pub async fn racing_claims_grant_a_shard_once(leases: &impl ShardLeases) {
    let all: Vec<u16> = (0..SHARDS).collect();
    let back: Vec<u16> = all.iter().rev().copied().collect();
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    let (one, two) = tokio::join!(granted(leases, ONE, &all), granted(leases, TWO, &back));
    assert_eq!(one.len() + two.len(), all.len());
    let both: HashSet<u16> = one.into_iter().chain(two).collect();
    assert_eq!(both.len(), all.len());
}

pub async fn the_map_tells_owner_address_and_epoch(leases: &impl ShardLeases) {
    let map = leases.shards().await.unwrap();
    assert_eq!(map.len(), usize::from(SHARDS));
    let free = |shard, epoch| ShardHolder { shard: ShardId(shard), epoch, owner: None, address: None, expired: false };
    assert!(map.iter().zip(0..).all(|(row, shard)| *row == free(shard, 0)));
    alive(leases, ONE).await;
    assert_eq!(granted(leases, ONE, &[1, 2]).await, [1, 2]);
    let address = Some("router-7".to_owned());
    let held = ShardHolder { owner: Some(ONE), address, ..free(1, 1) };
    assert_eq!(leases.shards().await.unwrap()[1], held);
    dead(leases, ONE).await;
    assert_eq!(leases.shards().await.unwrap()[1], ShardHolder { expired: true, ..held.clone() });
    // Its next life is another one.
    alive(leases, again(ONE, 2)).await;
    assert_eq!(leases.shards().await.unwrap()[1], ShardHolder { expired: true, address: None, ..held });
    assert_eq!(leases.shards().await.unwrap()[3], free(3, 0));
}

pub async fn who_goes_says_so_and_keeps_what_he_holds(leases: &impl ShardLeases) {
    alive(leases, ONE).await;
    alive(leases, TWO).await;
    assert_eq!(leases.claim(ONE, &[ShardId(3)]).await.unwrap().len(), 1);
    leases.leaving(ONE).await.unwrap();
    alive(leases, ONE).await;
    let leaving: Vec<bool> = leases.live().await.unwrap().iter().map(|router| router.leaving).collect();
    assert_eq!(leaving, [true, false]);
    assert!(leases.claim(TWO, &[ShardId(3)]).await.unwrap().is_empty());
    leases.leave(ONE).await.unwrap();
    alive(leases, again(ONE, 2)).await;
    assert!(leases.live().await.unwrap().iter().all(|router| !router.leaving), "a later life has not said so");
}
