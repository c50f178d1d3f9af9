//! Routers that share a log on a real PostgreSQL: what one leaves to the next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_domain::ownership::wanted;
use mynah_engines::PostgreSql;
use mynah_memory::MemoryBus;
use mynah_ports::contract::first;
use mynah_ports::{MessageLog, ShardLeases as _};
use mynah_postgres_log::{Options, PostgresLog};
use mynah_proto::router::RelationChangedRequest;
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::{Deps, Gateways, Membership, Ownership, Router, Settings};
use mynah_types::{Appended, ConversationKey, Reason, RouterId, SHARDS, ShardId, SystemClock, Uid};
use tokio::sync::oneshot;
use tokio::task::block_in_place;

use crate::directory::FakeDirectory;
use crate::gateway::{GATEWAY, Recorder, connected};
use crate::{SINGLE, send};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Shards that a router hands over at one time, at least.
const FIRST: u16 = 16;
/// Shards that may move when all begin at one time.
const FEW: u64 = 25;

async fn server() -> (PostgreSql, PostgresLog) {
    let server = block_in_place(|| PostgreSql::start().unwrap());
    server.create_database("log").unwrap();
    let log = PostgresLog::open(&server.url("log"), &Options::default()).await.unwrap();
    (server, log)
}

/// The first router; user 2 is connected.
async fn router(log: &PostgresLog, directory: FakeDirectory, gateway: GatewayClient) -> Router {
    numbered(1, log, directory, gateway).await
}

/// A router among others.
async fn numbered(number: u64, log: &PostgresLog, directory: FakeDirectory, gateway: GatewayClient) -> Router {
    let membership = Membership::new(Arc::new(log.clone()), RouterId(number), format!("127.0.0.1:{number}"));
    let router = Router::start(Deps {
        log: Arc::new(log.clone()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: connected(2).await,
        directory: DirectoryClient::local(directory),
        gateways: Gateways::single(GATEWAY, gateway),
        clock: Arc::new(SystemClock),
        ownership: Ownership::Shared(vec![Membership { heartbeat: Duration::from_millis(200), ..membership }]),
        settings: Settings::default(),
    });
    router.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_wrote_and_did_not_deliver_the_next_one_delivers() {
    let (_server, log) = server().await;
    let key: ConversationKey = SINGLE.parse().unwrap();
    let claim = MessageLog::claim(&log, &[key.shard()]).await.unwrap()[0];
    assert_eq!(log.append(vec![first::append(key, &claim)]).await, [[Appended::Done]]);
    // That owner is no more. Nobody writes to the conversation again.
    let (gateway, mut delivered) = Recorder::start(0);
    let _router = router(&log, FakeDirectory::default(), gateway).await;
    let entry = delivered.next().await;
    assert_eq!((entry.conv_id.as_str(), entry.seq), (SINGLE, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_goes_answers_what_it_took_before_it_lets_the_shard_go() {
    let (_server, log) = server().await;
    let shard_of = |peer: &u64| ConversationKey::single(Uid(1), Uid(*peer)).shard();
    let peer = (2..).find(|peer| shard_of(peer).0 < FIRST).unwrap();
    let ((asked, is_asked), (answer, may_answer)) = (oneshot::channel(), oneshot::channel());
    let directory = FakeDirectory { holds: Some((asked, may_answer)).into(), ..FakeDirectory::default() };
    let router = router(&log, directory, Recorder::start(0).0).await;
    let began = Instant::now();
    while router.shards() < usize::from(SHARDS) {
        assert!(began.elapsed() < PATIENCE, "not all are claimed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let client = RouterClient::local(router.clone());
    let sent = tokio::spawn(async move { client.send(send(&format!("s.1.{peer}"), 1, "a", 1)).await });
    is_asked.await.unwrap();
    let leaving = router.clone();
    let left = tokio::spawn(async move { leaving.leave().await });
    // It waits for the answer with the last of those that it hands over first.
    while free(&log).await + 1 < usize::from(FIRST) {
        assert!(began.elapsed() < PATIENCE, "nothing is handed over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    answer.send(()).unwrap();
    assert_eq!(sent.await.unwrap().unwrap().results[0].seq, 1);
    left.await.unwrap();
    // Only the owner knows whether a chat has an actor that goes by what was: anybody else's word would end the matter for the directory.
    let changed = RelationChangedRequest { uid: 1, peer_uids: vec![peer] };
    let told = RouterClient::local(router.clone()).relation_changed(changed).await.unwrap_err();
    assert_eq!(told.why(), Reason::NotOwner);
    assert_eq!(free(&log).await, usize::from(FIRST));
}

/// Three routers, started together; one is so much quicker that it has its lease before the others ask for theirs.
async fn three(log: &PostgresLog) -> [Router; 3] {
    let one = |number| numbered(number, log, FakeDirectory::default(), Recorder::start(0).0);
    let (first, began) = (one(1).await, Instant::now());
    while !first.leases().all(|(_, held)| held) {
        assert!(began.elapsed() < PATIENCE, "the first has no lease");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    [first, one(2).await, one(3).await]
}

/// Waits until each of three routers has the shards that it should have and no others; how often all were claimed by then.
async fn shared(log: &PostgresLog, routers: &[Router; 3]) -> u64 {
    let ids: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
    let share = wanted(&[RouterId(1), RouterId(2), RouterId(3)], &ids);
    let began = Instant::now();
    loop {
        let rows = log.shards().await.unwrap();
        let holders = rows.iter().map(|row| row.owner.filter(|_| !row.expired).map(|owner| owner.router));
        let taken: usize = routers.iter().map(Router::shards).sum();
        if taken == ids.len() && holders.eq(share.iter().copied().map(Some)) {
            return rows.iter().map(|row| row.epoch).sum();
        }
        assert!(began.elapsed() < PATIENCE, "not shared: {:?}", routers.each_ref().map(Router::shards));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Each shard is claimed once by whoever should have it. A router that came late to the others would find a third of them taken.
fn assert_few_moved(claims: u64) {
    let moved = claims - u64::from(SHARDS);
    assert!(moved <= FEW, "{moved} shards were taken by one router and then moved to another");
}

/// The database is away until all leases are over. Who comes back first finds the others before it claims.
#[tokio::test(flavor = "multi_thread")]
async fn routers_that_begin_anew_together_take_what_is_theirs() {
    let (mut server, log) = server().await;
    let routers = three(&log).await;
    let before = shared(&log, &routers).await;
    block_in_place(|| server.kill());
    let began = Instant::now();
    while routers.iter().any(|router| router.shards() > 0) {
        assert!(began.elapsed() < PATIENCE, "shards are held without a lease");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    block_in_place(|| server.restart()).unwrap();
    assert_few_moved(shared(&log, &routers).await - before);
}

/// All routers died, and are started together.
#[tokio::test(flavor = "multi_thread")]
async fn routers_that_start_together_take_what_was_theirs() {
    let (_server, log) = server().await;
    let routers = three(&log).await;
    let before = shared(&log, &routers).await;
    drop(routers);
    let began = Instant::now();
    while log.shards().await.unwrap().iter().any(|row| !row.expired) {
        assert!(began.elapsed() < PATIENCE, "a lease does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let routers = three(&log).await;
    assert_few_moved(shared(&log, &routers).await - before);
}

/// Of the first shards, how many nobody holds.
async fn free(log: &PostgresLog) -> usize {
    let rows = log.shards().await.unwrap();
    rows.iter().filter(|row| row.shard.0 < FIRST && row.owner.is_none()).count()
}
