//! Owners and sessions that stand still at any step, and connections that are cut when nobody knows what came of an append.

use std::process::Command;
use std::time::{Duration, Instant};

use mynah_engines::{Process, Signal};
use mynah_ports::{MessageLog as _, ShardLeases};
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{Appended, ShardId};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::faults::{log, session, until_it_waits};
use crate::leases::{LONG, ONE, TWO, beat};
use crate::support::{KEY, Writer, whole};

/// Where a process of its own finds the log on which it is to be an owner.
const LOG: &str = "MYNAH_TEST_POSTGRES_LOG";

/// Not a test: the owner that the test below stops. It appends until it is fenced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by another test"]
async fn owner() {
    let Ok(url) = std::env::var(LOG) else { return };
    let log = PostgresLog::open(&url, &Options::default()).await.unwrap();
    let mut writer = Writer::on(&log).await.unwrap();
    loop {
        match writer.next(50).await {
            Appended::Done => {}
            Appended::Fenced => return,
            // Its session was ended. Whether it wrote or not, another one owns the shard.
            Appended::Unknown => assert_eq!(writer.next(1).await, Appended::Fenced),
            Appended::HeadMoved => panic!("the head moved"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_stopped_anywhere_is_taken_over_and_writes_nothing_more() {
    let (url, log) = log().await;
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("owner.log");
    for round in 0..5 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "stopped::owner", "--ignored", "--nocapture"]).env(LOG, &url);
        let started = Process::start(&mut command, "", &output, Duration::from_secs(10), || true);
        let owner = started.unwrap();
        let from = whole(&log).await;
        let since = Instant::now();
        while log.load(KEY, 0).await.unwrap().head_seq <= from + 50 * round {
            assert!(since.elapsed() < Duration::from_secs(20), "{}", std::fs::read_to_string(&output).unwrap());
        }
        owner.signal(Signal::STOP);
        let since = Instant::now();
        let mut next = Writer::on(&log).await.unwrap();
        assert_eq!(next.next(1).await, Appended::Done);
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        let head = next.head;
        owner.signal(Signal::CONT);
        let said = || std::fs::read_to_string(&output).unwrap();
        // The end of its last line: what is read may have been written by half.
        while !said().contains("filtered out") {
            assert!(since.elapsed() < Duration::from_secs(20), "{}", said());
            tokio::task::yield_now().await;
        }
        assert!(said().contains("1 passed"), "{}", said());
        assert_eq!(whole(&log).await, head);
    }
}

/// The server's own process stands still, and no other session can end it: that shard waits, within the bound, and no other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_session_holds_its_shard_alone_and_only_while_it_is_frozen() {
    let (url, _) = log().await;
    let options = Options { within: Duration::from_secs(1), ..Options::default() };
    let log = PostgresLog::open(&url, &options).await.unwrap();
    beat(&log, TWO, LONG).await;
    let frozen = session(&url).await;
    let pid: i32 = frozen.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let hold = format!("BEGIN; SELECT FROM mynah_log.shards WHERE shard = {} FOR UPDATE", KEY.shard());
    frozen.batch_execute(&hold).await.unwrap();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    signal("-STOP");
    let since = Instant::now();
    let others = [ShardId(KEY.shard().0 ^ 1), KEY.shard(), ShardId(KEY.shard().0 ^ 2)];
    let claims = ShardLeases::claim(&log, TWO, &others).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(claims.iter().map(|claim| claim.shard).collect::<Vec<_>>(), [others[0], others[2]]);
    signal("-CONT");
    assert_eq!(ShardLeases::claim(&log, TWO, &[KEY.shard()]).await.unwrap().len(), 1);
}

/// The beginning of a way to the server, on which nobody is let through yet; its address as a log's.
pub async fn shut_way_to(url: &str) -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (head, tail) = url.split_once('@').unwrap();
    let (_, database) = tail.split_once('/').unwrap();
    (format!("{head}@{}/{database}", listener.local_addr().unwrap()), listener)
}

/// Lets everybody through to the server of this log. Once it is aborted, both ends of each connection close at once.
pub fn carry(listener: TcpListener, url: &str) -> JoinHandle<()> {
    let (server, _) = url.split_once('@').unwrap().1.split_once('/').unwrap();
    let server = server.to_owned();
    tokio::spawn(async move {
        let mut ways = tokio::task::JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(&server).await.unwrap();
            ways.spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    })
}

/// Cut while the server commits: the outcome is unknown, and whoever claims next sees what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_a_commit_whose_connection_was_cut() {
    let (url, direct) = log().await;
    // Each commit that wrote entries waits here, after all checks and with its locks.
    let gate = session(&url).await;
    gate.batch_execute(
        "CREATE FUNCTION mynah_log.wait() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON mynah_log.entries DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION mynah_log.wait();
         SELECT pg_advisory_lock(1)",
    )
    .await
    .unwrap();
    beat(&direct, ONE, LONG).await;
    beat(&direct, TWO, LONG).await;
    let (through, listener) = shut_way_to(&url).await;
    let way = carry(listener, &url);
    let cut_off = PostgresLog::open(&through, &Options::default()).await.unwrap();
    let mut old = Writer::on(&cut_off.owned_by(ONE)).await.unwrap();
    let appending = tokio::spawn(async move { old.next(3).await });
    until_it_waits(&url, "append", &appending).await;
    way.abort();
    assert_eq!(appending.await.unwrap(), Appended::Unknown);
    // The server goes on with it all the same.
    beat(&direct, ONE, Duration::ZERO).await;
    let two = direct.owned_by(TWO);
    let claiming = tokio::spawn(async move { Writer::on(&two).await.unwrap() });
    until_it_waits(&url, "claim_for", &claiming).await;
    // Or its session was ended meanwhile, which opens the gate too.
    _ = gate.batch_execute("SELECT pg_advisory_unlock(1)").await;
    let mut new = claiming.await.unwrap();
    assert_eq!(new.head, 3);
    assert_eq!(new.next(1).await, Appended::Done);
    assert_eq!(whole(&direct).await, 4);
}
