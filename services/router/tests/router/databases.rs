//! A log in two databases, on servers of their own: what becomes of one is nothing to the conversations of the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mynah_engines::{PostgreSql, Signal};
use mynah_memory::MemoryBus;
use mynah_ports::{MessageLog as _, ShardLeases};
use mynah_postgres_log::{Databases, Options, ShardedLog};
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_router::{Deps, Gateways, Membership, Ownership, Router, Settings};
use mynah_types::{ConversationKey, RouterId, SHARDS, SystemClock, Uid};
use tokio::task::{JoinHandle, block_in_place};

use crate::directory::FakeDirectory;
use crate::gateway::{GATEWAY, Recorder, connected};
use crate::send;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// Less than a lease, and than an append may take: who waits for the other database waits for longer.
const PROMPT: Duration = Duration::from_secs(2);
const LEASE: Duration = Duration::from_secs(3);

struct World {
    high: PostgreSql,
    low: PostgreSql,
    log: ShardedLog,
    router: Router,
}

async fn log(low: &PostgreSql, high: &PostgreSql) -> ShardedLog {
    let databases: Databases = format!("0-127={},128-255={}", low.url("log"), high.url("log")).parse().unwrap();
    ShardedLog::open(&databases, &Options::default()).await.unwrap()
}

async fn router(log: &ShardedLog, number: u64) -> Router {
    let membership = |part: &mynah_postgres_log::PostgresLog| {
        let leases: Arc<dyn ShardLeases> = Arc::new(part.clone());
        let usual = Membership::new(leases, RouterId(number), format!("127.0.0.1:{number}"));
        Membership { range: part.range(), heartbeat: Duration::from_millis(200), lease: LEASE, ..usual }
    };
    let router = Router::start(Deps {
        log: Arc::new(log.clone()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: connected(2).await,
        directory: DirectoryClient::local(FakeDirectory::default()),
        gateways: Gateways::single(GATEWAY, Recorder::start(0).0),
        clock: Arc::new(SystemClock),
        ownership: Ownership::Shared(log.parts().iter().map(membership).collect()),
        settings: Settings::default(),
    });
    router.await.unwrap()
}

impl World {
    async fn start() -> Self {
        let (low, high) = block_in_place(|| (PostgreSql::start().unwrap(), PostgreSql::start().unwrap()));
        low.create_database("log").unwrap();
        high.create_database("log").unwrap();
        let log = log(&low, &high).await;
        let router = router(&log, 1).await;
        until("all shards are claimed", || router.shards() == usize::from(SHARDS)).await;
        Self { high, low, log, router }
    }

    /// Whether the router has a lease in the first database, and in the second.
    fn leases(&self) -> Vec<bool> {
        self.router.leases().map(|(_, held)| held).collect()
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A chat of user 1 whose shard the first or the second database has.
fn chat(high: bool) -> String {
    let key = |peer: u64| ConversationKey::single(Uid(1), Uid(peer));
    key((3..).find(|peer| (key(*peer).shard().0 > 127) == high).unwrap()).to_string()
}

/// Sends one message after the other until it is told to stop: how many, and how long the slowest answer took. No one may fail.
fn steadily(router: &Router, conv_id: String, stop: &Arc<AtomicBool>) -> JoinHandle<(u64, Duration)> {
    let (client, stop) = (RouterClient::local(router.clone()), Arc::clone(stop));
    tokio::spawn(async move {
        let (mut count, mut slowest) = (0, Duration::ZERO);
        while !stop.load(Ordering::SeqCst) {
            count += 1;
            let began = Instant::now();
            let result = client.send(send(&conv_id, 1, &format!("m{count}"), count)).await.unwrap().results.remove(0);
            assert_eq!((result.failure, result.seq), (None, count));
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (count, slowest)
    })
}

/// Sends until it is taken; counts refusals, each of which asks to try again.
async fn persistently(router: &Router, conv_id: &str, cmid: &str) -> (u64, u64) {
    let client = RouterClient::local(router.clone());
    let (began, mut refused) = (Instant::now(), 0);
    loop {
        assert!(began.elapsed() < PATIENCE, "{cmid} is never taken");
        let failure = match client.send(send(conv_id, 1, cmid, 1)).await {
            Ok(mut reply) => match reply.results.remove(0) {
                result if result.failure.is_none() => return (result.seq, refused),
                result => result.failure.unwrap(),
            },
            Err(failure) => failure,
        };
        assert!(failure.why().is_retryable(), "{failure:?}");
        refused += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The second database stands still for longer than the lease, then is killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_one_database_is_nothing_to_the_others_conversations() {
    let mut world = World::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    assert_eq!(persistently(&world.router, &chat(true), "before").await, (1, 0));
    let low = steadily(&world.router, chat(false), &stop);

    world.high.signal(Signal::STOP);
    // One that is on its way, and those that come later.
    let sending = tokio::spawn({
        let router = world.router.clone();
        async move { persistently(&router, &chat(true), "hangs").await }
    });
    until("what was in memory of the second is dropped", || world.router.shards() == 128).await;
    assert_eq!(world.leases(), [true, false]);
    world.high.signal(Signal::CONT);
    assert_eq!(sending.await.unwrap().0, 2, "written once, whatever became of the first try");
    until("all shards are claimed again", || world.router.shards() == usize::from(SHARDS)).await;

    world.high.kill();
    until("it is dropped again", || world.router.shards() == 128).await;
    let (router, high) = (world.router.clone(), &mut world.high);
    let sending = tokio::spawn(async move { persistently(&router, &chat(true), "dead").await });
    block_in_place(|| high.restart()).unwrap();
    let (seq, refused) = sending.await.unwrap();
    assert_eq!(seq, 3);
    assert!(refused > 0, "it was never refused");
    until("all shards are claimed again", || world.router.shards() == usize::from(SHARDS)).await;

    stop.store(true, Ordering::SeqCst);
    let (count, slowest) = low.await.unwrap();
    assert!(slowest < PROMPT, "an answer took {slowest:?} of {count}");
    assert_eq!(world.log.heads(&[chat(true).parse().unwrap()]).await.unwrap()[0].head_seq, 3);
    assert_ne!(world.low.pid(), 0);
}

/// Two routers share the shards of each database evenly. One goes while the second database is dead: those of the first are handed
/// over at once, and the others are taken when their database is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_goes_while_a_database_is_dead() {
    let mut world = World::start().await;
    let other = router(&world.log, 2).await;
    let halves = || world.router.shards() == 128 && other.shards() == 128;
    until("the shards are shared", halves).await;
    for part in world.log.parts() {
        let rows = part.shards().await.unwrap();
        let first = rows.iter().filter(|row| row.owner.is_some_and(|owner| owner.router == RouterId(1))).count();
        assert_eq!((rows.len(), first), (128, 64), "{}", part.range());
    }
    world.high.kill();
    until("what it had is dropped", || world.router.shards() == 64 && other.shards() == 64).await;
    let leaving = tokio::spawn(async move { other.leave().await });
    until("the first database's shards are had", || world.router.shards() == 128).await;
    assert_eq!(persistently(&world.router, &chat(false), "a").await, (1, 0));
    leaving.await.unwrap();
    let high = &mut world.high;
    block_in_place(|| high.restart()).unwrap();
    until("all are had", || world.router.shards() == usize::from(SHARDS)).await;
    assert_eq!(persistently(&world.router, &chat(true), "a").await, (1, 0));
}
