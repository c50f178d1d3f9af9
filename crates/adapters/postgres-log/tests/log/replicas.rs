//! A replica that lags behind a server under load, and takes over when that one dies.

use std::time::{Duration, Instant};

use mynah_engines::{PostgreSql, Signal};
use mynah_ports::MessageLog as _;
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{Appended, Seq};
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio_postgres::Client;

use crate::faults::session;
use crate::kills::write;
use crate::support::{Writer, whole};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a query answers with true.
async fn until(observer: &Client, query: &str) {
    let since = Instant::now();
    while !observer.query_one(query, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(since.elapsed() < PATIENCE, "never true: {query}");
    }
}

/// A server under load, with a replica whose receiver stands still while entries are appended.
struct World {
    server: PostgreSql,
    replica: PostgreSql,
    observer: Client,
    log: PostgresLog,
    /// The last entry that was answered.
    answered: watch::Receiver<Seq>,
}

/// A server with a replica, somebody who looks on, and a log.
async fn replicated(waits_for_replica: bool) -> (PostgreSql, PostgreSql, Client, PostgresLog) {
    let server = block_in_place(PostgreSql::start).unwrap();
    server.create_database("log").unwrap();
    let url = server.url("log");
    let log = PostgresLog::open(&url, &Options::default()).await.unwrap();
    let replica = block_in_place(|| server.replica()).unwrap();
    let observer = session(&url).await;
    until(&observer, "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'").await;
    if waits_for_replica {
        observer.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
        observer.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        until(&observer, "SELECT bool_and(sync_state = 'sync') FROM pg_stat_replication").await;
    }
    assert_eq!(log.sync_replicas().await.unwrap(), u32::from(waits_for_replica));
    (server, replica, observer, log)
}

impl World {
    async fn start(waits_for_replica: bool) -> Self {
        let (server, replica, observer, log) = replicated(waits_for_replica).await;
        let (tell, mut answered) = watch::channel(0);
        tokio::spawn(write(log.clone(), tell));
        answered.wait_for(|head| *head > 100).await.unwrap();
        assert!(replica.signal_receiver(Signal::STOP), "no receiver");
        Self { server, replica, observer, log, answered }
    }

    /// The server dies; the replica starts with what it had, and takes over: what was answered, and what the replica has.
    async fn take_over(&mut self) -> (Seq, Seq) {
        block_in_place(|| {
            self.server.kill();
            // What has come and was not taken in is lost with it.
            self.replica.kill();
            self.replica.restart().unwrap();
            self.replica.take_over().unwrap();
        });
        let answered = *self.answered.borrow();
        let log = PostgresLog::open(&self.replica.url("log"), &Options::default()).await.unwrap();
        assert_ne!(log.log_epoch(), self.log.log_epoch(), "devices are not told that their positions are void");
        (answered, whole(&log).await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_synchronous_replica_lacks_was_not_answered() {
    let mut world = World::start(true).await;
    until(&world.observer, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'").await;
    let (answered, there) = world.take_over().await;
    assert!(answered > 100 && there >= answered, "{answered} answered, {there} there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_that_nobody_waits_for_lacks_is_lost_and_the_log_is_another_one() {
    let mut world = World::start(false).await;
    let before = *world.answered.borrow();
    world.answered.wait_for(|head| *head > before + 300).await.unwrap();
    let (answered, there) = world.take_over().await;
    assert!(there + 100 < answered, "the receiver was not held back: {answered} answered, {there} there");
}

/// Nobody claims meanwhile: where heartbeats wait for the replica too, nobody has a lease. Whoever has the log open ends what hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_hangs_on_its_replica_is_seen_in_time_though_its_writer_died() {
    let (server, replica, observer, log) = replicated(true).await;
    let mut writer = Writer::on(&log).await.unwrap();
    assert_eq!(writer.next(1).await, Appended::Done);
    assert!(replica.signal_receiver(Signal::STOP), "no receiver");
    let appending = tokio::spawn(async move { writer.next(1).await });
    let hangs = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'SELECT append%'";
    until(&observer, hangs).await;
    // Its writer is gone, and nobody else is there.
    appending.abort();
    drop((appending.await, log));
    let options = Options { within: Duration::from_millis(500), ..Options::default() };
    let reader = PostgresLog::open(&server.url("log"), &options).await.unwrap();
    until(&observer, &hangs.replace("> 0", "= 0")).await;
    assert_eq!(whole(&reader).await, 2);
    // It is there for good: who claims waits for the replica, and goes on behind it.
    assert!(replica.signal_receiver(Signal::CONT), "no receiver");
    let mut next = Writer::on(&reader).await.unwrap();
    assert_eq!((next.head, next.next(1).await), (2, Appended::Done));
}
