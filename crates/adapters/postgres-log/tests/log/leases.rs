//! Routers that share one log: the contract of the port, a router that is killed, what is not stolen.

use std::time::{Duration, Instant};

use mynah_domain::ownership::{Held, plan};
use mynah_ports::shard_leases::{Heartbeat, Member};
use mynah_ports::{MessageLog, ShardLeases};
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{Appended, ConversationAppend, OwnerToken, RouterId, SHARDS, ShardId};
use tokio::task::JoinHandle;

use crate::faults::{log, session, until_it_waits};
use crate::support::{KEY, Writer, new_database, whole};

mod contract {
    use super::{Options, PostgresLog, ShardLeases, new_database};

    fn fresh() -> impl ShardLeases {
        let opened = || tokio::runtime::Handle::current().block_on(PostgresLog::open(&new_database(), &Options::default()));
        tokio::task::block_in_place(opened).unwrap()
    }

    mynah_ports::shard_leases_contract!(fresh);
}

pub const ONE: Member = Member { router: RouterId(1), incarnation: 1 };
pub const TWO: Member = Member { router: RouterId(2), incarnation: 1 };
pub const LONG: Duration = Duration::from_secs(600);
const LEASE: Duration = Duration::from_secs(2);

pub async fn beat(log: &PostgresLog, member: Member, lasts: Duration) {
    assert_eq!(log.heartbeat(member, "somewhere", lasts).await.unwrap(), Heartbeat::Renewed);
}

/// A router's part that keeps it among the living and follows its plan.
fn router(log: &PostgresLog, me: Member) -> JoinHandle<()> {
    let log = log.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(LEASE / 10);
        loop {
            every.tick().await;
            beat(&log, me, LEASE).await;
            let live: Vec<RouterId> = log.live().await.unwrap().iter().map(|router| router.member.router).collect();
            let rows = log.shards().await.unwrap();
            let held = rows.iter().map(|row| Held {
                shard: row.shard,
                owner: row.owner.map(|owner| owner.router),
                expired: row.expired,
                lost: false,
            });
            let plan = plan(me.router, &live, &held.collect::<Vec<_>>());
            log.release(me, &plan.release).await.unwrap();
            ShardLeases::claim(&log, me, &plan.claim).await.unwrap();
        }
    })
}

/// Waits until the routers hold so many shards.
async fn until_held(log: &PostgresLog, counts: [(Member, u16); 2]) {
    let settled = async {
        loop {
            let rows = log.shards().await.unwrap();
            let holds = |member| rows.iter().filter(|row| row.owner == Some(member)).count();
            if counts.iter().all(|(member, count)| holds(*member) == usize::from(*count)) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), settled).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_routers_share_and_the_dead_ones_shards_go_to_the_other() {
    let (_, log) = log().await;
    let one = router(&log, ONE);
    until_held(&log, [(ONE, SHARDS), (TWO, 0)]).await;
    let two = router(&log, TWO);
    until_held(&log, [(ONE, SHARDS / 2), (TWO, SHARDS / 2)]).await;
    // One that goes at once, and one that is killed.
    let last_heard = Instant::now();
    one.abort();
    assert!(one.await.unwrap_err().is_cancelled());
    until_held(&log, [(ONE, 0), (TWO, SHARDS)]).await;
    let took = last_heard.elapsed();
    assert!(took < LEASE + Duration::from_secs(5), "{took:?}");
    two.abort();
    assert!(two.await.unwrap_err().is_cancelled());
    log.leave(TWO).await.unwrap();
    until_held(&log, [(ONE, 0), (TWO, 0)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_a_router_whose_lease_ended_is_refused_after_the_takeover() {
    let (_, log) = log().await;
    beat(&log, ONE, LONG).await;
    beat(&log, TWO, LONG).await;
    let mut one = Writer::on(&log.owned_by(ONE)).await.unwrap();
    assert_eq!(one.next(3).await, Appended::Done);
    beat(&log, ONE, Duration::ZERO).await;
    // Nobody has taken over: what it appends is still in order.
    assert_eq!(one.next(1).await, Appended::Done);
    let mut two = Writer::on(&log.owned_by(TWO)).await.unwrap();
    assert_eq!(two.head, 4);
    assert_eq!(one.next(1).await, Appended::Fenced);
    assert_eq!(two.next(1).await, Appended::Done);
    // After an outcome that is unknown a router claims again: it gets nothing back that is another one's now.
    let shards = [KEY.shard()];
    assert_eq!(MessageLog::claim(&one.log, &shards).await.unwrap(), []);
    beat(&log, Member { incarnation: 2, ..ONE }, LONG).await;
    assert_eq!(ShardLeases::claim(&log, Member { incarnation: 2, ..ONE }, &shards).await.unwrap(), []);
    assert_eq!(two.next(1).await, Appended::Done);
    assert_eq!(whole(&log).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_void_when_its_shard_was_let_go() {
    let (_, log) = log().await;
    beat(&log, ONE, LONG).await;
    let mut one = Writer::on(&log.owned_by(ONE)).await.unwrap();
    assert_eq!(one.next(1).await, Appended::Done);
    log.release(ONE, &[KEY.shard()]).await.unwrap();
    assert_eq!(one.next(1).await, Appended::Fenced);
    // An empty token is nobody's.
    let append = ConversationAppend::empty(KEY, 1);
    assert_eq!(one.append(OwnerToken(0), vec![append]).await, [Appended::Fenced]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_a_heartbeat_that_came_in_time() {
    // On a slow machine the claim ends the session that plays the heartbeat before this could be made durable: once more.
    while !claim_against_a_heartbeat().await {}
}

async fn claim_against_a_heartbeat() -> bool {
    let (url, log) = log().await;
    beat(&log, ONE, LONG).await;
    beat(&log, TWO, LONG).await;
    let one = ShardLeases::claim(&log, ONE, &[KEY.shard()]).await.unwrap();
    assert_eq!(one.len(), 1);
    beat(&log, ONE, Duration::ZERO).await;
    // As a heartbeat that looked at the clock before the lease ended, and is not yet durable.
    let heartbeat = session(&url).await;
    let renew = "BEGIN; UPDATE mynah_log.routers SET expires = now() + interval '1 hour' WHERE router = 1";
    heartbeat.batch_execute(renew).await.unwrap();
    let two = log.clone();
    let claiming = tokio::spawn(async move { ShardLeases::claim(&two, TWO, &[KEY.shard()]).await });
    until_it_waits(&url, "claim_for", &claiming).await;
    if heartbeat.batch_execute("COMMIT").await.is_err() {
        return false;
    }
    assert_eq!(claiming.await.unwrap().unwrap(), []);
    assert_eq!(log.shards().await.unwrap()[usize::from(KEY.shard().0)].owner, Some(ONE));
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_heartbeat_does_not_bring_a_lease_back() {
    let (url, log) = log().await;
    beat(&log, ONE, Duration::from_millis(300)).await;
    // Sent in time, and stuck until the lease has ended.
    let holder = session(&url).await;
    holder.batch_execute("BEGIN; SELECT FROM mynah_log.routers WHERE router = 1 FOR UPDATE").await.unwrap();
    let late = log.clone();
    let beating = tokio::spawn(async move { late.heartbeat(ONE, "somewhere", LONG).await });
    until_it_waits(&url, "heartbeat", &beating).await;
    while !log.live().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    holder.batch_execute("COMMIT").await.unwrap();
    assert_eq!(beating.await.unwrap().unwrap(), Heartbeat::Expired { newest: 1 });
    assert_eq!(log.live().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stuck_shard_keeps_no_other_one_back() {
    let (url, log) = log().await;
    beat(&log, TWO, LONG).await;
    let stuck = session(&url).await;
    stuck.batch_execute("BEGIN; SELECT FROM mynah_log.shards WHERE shard = 7 FOR UPDATE").await.unwrap();
    let two = log.clone();
    let all: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let claiming = tokio::spawn(async move { ShardLeases::claim(&two, TWO, &all).await });
    until_held(&log, [(TWO, SHARDS - 1), (ONE, 0)]).await;
    // Its session is ended, and it follows.
    assert_eq!(claiming.await.unwrap().unwrap().len(), usize::from(SHARDS));
    assert!(stuck.batch_execute("COMMIT").await.is_err());
}
