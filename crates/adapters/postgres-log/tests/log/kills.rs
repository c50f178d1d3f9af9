//! The server is killed, stays away, and comes back: nothing that was answered is lost, and the log goes on by itself.

use std::time::{Duration, Instant};

use mynah_engines::PostgreSql;
use mynah_ports::message_log::{Error, Location};
use mynah_ports::shard_leases::Error as LeaseError;
use mynah_ports::{MessageLog, ShardLeases};
use mynah_postgres_log::{OpenError, Options, PostgresLog};
use mynah_types::{Appended, Seq, ShardId};
use tokio::sync::watch;

use crate::leases::{LONG, ONE, beat};
use crate::support::{KEY, Writer, whole};

/// Appends until the server is gone, and tells each answer. An owner whose outcome is unknown claims again, as a router does.
pub async fn write(log: PostgresLog, answered: watch::Sender<Seq>) {
    let mut writer = Writer::on(&log).await.unwrap();
    while !answered.is_closed() {
        if writer.next(3).await == Appended::Done {
            answered.send_replace(writer.head);
            continue;
        }
        match Writer::on(&log).await {
            Ok(again) => writer = again,
            Err(Error::Unavailable(_)) => {}
            Err(damaged) => panic!("{damaged}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_the_server_lose_nothing_that_was_answered() {
    let mut server = PostgreSql::start().unwrap();
    server.create_database("kills").unwrap();
    let log = PostgresLog::open(&server.url("kills"), &Options::default()).await.unwrap();
    let (tell, mut answered) = watch::channel(0);
    let writing = tokio::spawn(write(log.clone(), tell));
    for round in 0..6 {
        // At another moment each time: in the middle of an append as well as between two.
        let goal = *answered.borrow() + 3 * (10 + round * 7);
        answered.wait_for(|head| *head >= goal).await.unwrap();
        tokio::task::block_in_place(|| server.kill());
        let before = *answered.borrow_and_update();
        tokio::task::block_in_place(|| server.restart()).unwrap();
        let there = whole(&log).await;
        assert!(there >= before, "round {round}: {before} answered, {there} there");
    }
    let last = *answered.borrow();
    // It goes on by itself.
    answered.wait_for(|head| *head > last).await.unwrap();
    drop(answered);
    writing.await.unwrap();
    assert_eq!(whole(&log).await % 3, 0, "an append is there in part");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_unavailable_soon_and_nothing_is_lost() {
    let mut server = PostgreSql::start().unwrap();
    server.create_database("away").unwrap();
    let url = server.url("away");
    let log = PostgresLog::open(&url, &Options::default()).await.unwrap();
    let mut writer = Writer::on(&log).await.unwrap();
    assert_eq!(writer.next(5).await, Appended::Done);
    beat(&log, ONE, LONG).await;
    tokio::task::block_in_place(|| server.kill());
    let since = Instant::now();
    assert_eq!(writer.next(1).await, Appended::Unknown);
    let unavailable = |error| matches!(error, Error::Unavailable(_));
    assert!(MessageLog::claim(&log, &[KEY.shard()]).await.is_err_and(unavailable));
    assert!(matches!(log.heartbeat(ONE, "somewhere", LONG).await, Err(LeaseError::Unavailable(_))));
    assert!(matches!(ShardLeases::claim(&log, ONE, &[KEY.shard()]).await, Err(LeaseError::Unavailable(_))));
    assert!(log.load(KEY, 9).await.is_err_and(unavailable));
    assert!(log.at(&[Location { key: KEY, seq: 1 }]).await.is_err_and(unavailable));
    assert!(matches!(PostgresLog::open(&url, &Options::default()).await, Err(OpenError::Unavailable(_))));
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    tokio::task::block_in_place(|| server.restart()).unwrap();
    assert_eq!(whole(&log).await, 5);
    // The owner is still the owner: what could not be sent was not written.
    assert_eq!(writer.next(1).await, Appended::Done);
    assert_eq!(whole(&log).await, 6);
    // So are the leases: this one has not ended.
    beat(&log, ONE, LONG).await;
    assert_eq!(ShardLeases::claim(&log, ONE, &[ShardId(0)]).await.unwrap().len(), 1);
}

/// As soon as the server takes writes, which is some time after it answers.
async fn claimed_again(log: &PostgresLog) -> Writer {
    let claiming = async {
        loop {
            match Writer::on(log).await {
                Ok(writer) => return writer,
                Err(Error::Unavailable(_)) => tokio::task::yield_now().await,
                Err(damaged) => panic!("{damaged}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), claiming).await.unwrap()
}

/// A replica that takes over may lack what was answered: devices must hear that their positions are void.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_another_one_when_a_replica_took_over_and_the_same_after_a_crash() {
    let mut server = PostgreSql::start().unwrap();
    server.create_database("epochs").unwrap();
    let url = server.url("epochs");
    let log = PostgresLog::open(&url, &Options::default()).await.unwrap();
    assert_eq!(Writer::on(&log).await.unwrap().next(3).await, Appended::Done);
    let first = log.log_epoch();
    tokio::task::block_in_place(|| server.kill());
    tokio::task::block_in_place(|| server.restart()).unwrap();
    assert_eq!(claimed_again(&log).await.head, 3);
    assert_eq!(log.log_epoch(), first);
    tokio::task::block_in_place(|| server.promote()).unwrap();
    // Who opened it long ago finds out with the next claim, without which nothing is appended.
    assert_eq!(claimed_again(&log).await.head, 3);
    let second = log.log_epoch();
    assert_ne!(second, first);
    assert_eq!(PostgresLog::open(&url, &Options::default()).await.unwrap().log_epoch(), second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_unavailable_within_the_bound() {
    // It takes connections, and that is all.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://mynah@{}/silent", silent.local_addr().unwrap());
    let options = Options { within: Duration::from_millis(300), ..Options::default() };
    let since = Instant::now();
    assert!(matches!(PostgresLog::open(&url, &options).await, Err(OpenError::Unavailable(_))));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
