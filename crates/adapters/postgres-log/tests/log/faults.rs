//! Owners that are stopped, batches in which not all fits, answers that nobody waits for.

use std::time::{Duration, Instant};

use mynah_ports::MessageLog as _;
use mynah_postgres_log::{Options, PostgresLog};
use mynah_types::{
    Appended, Clock as _, ConversationAppend, ConversationKey, Hidden, Meta, MsgId, OwnerToken, Position, Progress, ShardAppend,
    SystemClock, Uid,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::leases::{LONG, ONE, beat};
use crate::support::{KEY, Writer, new_database, whole};

/// A session of its own, as an operator's or a stopped owner's.
pub async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until a statement waits for a lock; the task that runs it must not end meanwhile.
pub async fn until_it_waits<T>(url: &str, statement: &str, task: &JoinHandle<T>) {
    let observer = session(url).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND strpos(query, $1) > 0";
    let since = Instant::now();
    loop {
        assert!(!task.is_finished(), "{statement} waits for nobody");
        assert!(since.elapsed() < Duration::from_secs(20), "{statement} was never seen to wait");
        let waiting: i64 = observer.query_one(sql, &[&statement]).await.unwrap().get(0);
        if waiting > 0 {
            return;
        }
    }
}

pub async fn log() -> (String, PostgresLog) {
    let url = new_database();
    let log = PostgresLog::open(&url, &Options::default()).await.unwrap();
    (url, log)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_owner_does_not_block_a_claim() {
    let (url, log) = log().await;
    let mut old = Writer::on(&log).await.unwrap();
    let stopped = session(&url).await;
    let hold = format!("BEGIN; SELECT FROM mynah_log.shards WHERE shard = {} FOR UPDATE", KEY.shard());
    stopped.batch_execute(&hold).await.unwrap();
    let since = Instant::now();
    let mut new = Writer::on(&log).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(stopped.batch_execute("COMMIT").await.is_err());
    assert_eq!(old.next(1).await, Appended::Fenced);
    assert_eq!(new.next(1).await, Appended::Done);
}

/// The claim comes between the check of the token and the write: it must wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_waits_for_an_append_that_has_checked_and_not_yet_written() {
    let (url, log) = log().await;
    let mut old = Writer::on(&log).await.unwrap();
    // Whoever writes entries waits for this.
    let gate = session(&url).await;
    gate.batch_execute("BEGIN; LOCK TABLE mynah_log.entries IN SHARE MODE").await.unwrap();
    let appending = tokio::spawn(async move { (old.next(3).await, old) });
    until_it_waits(&url, "append", &appending).await;
    let new = log.clone();
    let claiming = tokio::spawn(async move { Writer::on(&new).await.unwrap() });
    until_it_waits(&url, "claim", &claiming).await;
    // Or its session was ended meanwhile, which opens the gate too.
    _ = gate.batch_execute("COMMIT").await;
    let (outcome, mut old) = appending.await.unwrap();
    let mut new = claiming.await.unwrap();
    assert_eq!((outcome, new.head), (Appended::Done, 3));
    assert_eq!(old.next(1).await, Appended::Fenced);
    assert_eq!(new.next(1).await, Appended::Done);
}

/// A log of this bound whose append of three entries waits, until the gate commits.
async fn held_append(within: Duration) -> (String, JoinHandle<Appended>, Client) {
    let url = new_database();
    let log = PostgresLog::open(&url, &Options { within, ..Options::default() }).await.unwrap();
    let mut writer = Writer::on(&log).await.unwrap();
    let gate = session(&url).await;
    gate.batch_execute("BEGIN; LOCK TABLE mynah_log.entries IN SHARE MODE").await.unwrap();
    let appending = tokio::spawn(async move { writer.next(3).await });
    until_it_waits(&url, "append", &appending).await;
    (url, appending, gate)
}

/// The name of a database, as the server lists it.
fn name_of(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

/// Waits until whoever has the first log open has looked for late appends, and has done so when the append of the second one was as old as
/// this; the append must not end meanwhile.
async fn until_looked(looks: &str, appends: &str, old: Duration, appending: &JoinHandle<Appended>) {
    let observer = session(looks).await;
    let looked = "SELECT EXISTS (SELECT FROM pg_stat_activity l, pg_stat_activity a
        WHERE l.datname = $1 AND a.datname = $2 AND l.state = 'idle' AND starts_with(l.query, 'WITH late')
            AND starts_with(a.query, 'SELECT append(') AND l.query_start > a.query_start + $3 * interval '1 second')";
    let (looks, appends, old) = (name_of(looks), name_of(appends), old.as_secs_f64());
    let since = Instant::now();
    while !observer.query_one(looked, &[&looks, &appends, &old]).await.unwrap().get::<_, bool>(0) {
        assert!(!appending.is_finished(), "the append was ended");
        assert!(since.elapsed() < Duration::from_secs(20), "nobody looks");
    }
}

/// Who lists by time must not pass what it will bring, in whichever process it was begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_is_under_way_to_all_who_have_the_log_open_until_it_ends() {
    let (url, appending, gate) = held_append(Duration::from_secs(60)).await;
    let other = PostgresLog::open(&url, &Options::default()).await.unwrap();
    let before = other.under_way().await.unwrap();
    let later = other.under_way().await.unwrap();
    assert!(Duration::ZERO < before && before < later, "{before:?}, then {later:?}");
    // Another database of the same server knows nothing of it.
    let stranger = PostgresLog::open(&new_database(), &Options::default()).await.unwrap();
    assert_eq!(stranger.under_way().await.unwrap(), Duration::ZERO);
    gate.batch_execute("COMMIT").await.unwrap();
    assert_eq!(appending.await.unwrap(), Appended::Done);
    assert_eq!(other.under_way().await.unwrap(), Duration::ZERO);
}

/// Whoever has the log open ends appends that are under way for too long, and no other ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_is_under_way_is_not_ended_before_its_bound() {
    let (url, appending, gate) = held_append(Duration::from_secs(60)).await;
    until_looked(&url, &url, Duration::ZERO, &appending).await;
    gate.batch_execute("COMMIT").await.unwrap();
    assert_eq!(appending.await.unwrap(), Appended::Done);
}

/// A server lists the sessions of all its databases: another log's appends have a bound of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_of_another_database_is_not_ended() {
    let (url, appending, gate) = held_append(Duration::from_secs(60)).await;
    let (other, bound) = (new_database(), Duration::from_millis(500));
    let _looks = PostgresLog::open(&other, &Options { within: bound, ..Options::default() }).await.unwrap();
    until_looked(&other, &url, bound, &appending).await;
    gate.batch_execute("COMMIT").await.unwrap();
    assert_eq!(appending.await.unwrap(), Appended::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_among_appends_fence_each_earlier_owner() {
    let (_, log) = log().await;
    let mut owner = Writer::on(&log).await.unwrap();
    for _ in 0..20 {
        let earlier = tokio::spawn(async move {
            let outcome = owner.next(20).await;
            (owner, outcome)
        });
        let mut next = Writer::on(&log).await.unwrap();
        let (mut old, outcome) = earlier.await.unwrap();
        // What is not done when the claim has returned is never done.
        assert_eq!(next.head, old.head, "{outcome:?}");
        assert_eq!(old.next(1).await, Appended::Fenced);
        assert_eq!(next.next(1).await, Appended::Done);
        owner = next;
    }
    assert_eq!(whole(&log).await, owner.head);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_shard_changes_nothing_not_even_its_progress() {
    let (_, log) = log().await;
    let writer = Writer::on(&log).await.unwrap();
    let progress = Progress { delivered: MsgId(7), published: MsgId(7) };
    let append = ConversationAppend { listed_for: vec![Uid(3)], ..ConversationAppend::empty(KEY, 0) };
    let fenced = ShardAppend { shard: KEY.shard(), token: OwnerToken(1), conversations: vec![append], progress: Some(progress) };
    assert_eq!(log.append(vec![fenced]).await, [[Appended::Fenced]]);
    let claim = log.claim(&[KEY.shard()]).await.unwrap()[0];
    assert_eq!(claim.progress, Progress::default());
    assert!(claim.counter >= writer.claim.counter);
    assert_eq!(log.single_chats(Uid(3), None, 9).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_writes_no_row_of_any_kind() {
    let (_, log) = log().await;
    let mut writer = Writer::on(&log).await.unwrap();
    assert_eq!(writer.next(2).await, Appended::Done);
    let entry = writer.entry(2);
    let rows = ConversationAppend {
        entries: vec![entry],
        positions: vec![(Uid(3), Position { read_seq: 1, ..Default::default() })],
        hidden: vec![(Uid(3), Hidden { from: 1, until: None })],
        meta: Some(Meta { member_version: 9, ..Default::default() }),
        drop_below: 2,
        listed_for: vec![Uid(3)],
        ..ConversationAppend::empty(KEY, 1)
    };
    // Listed a second time it does not stand alone, and the first decides.
    let outcomes = writer.append(writer.claim.token, vec![rows.clone(), rows]).await;
    assert_eq!(outcomes, [Appended::HeadMoved, Appended::HeadMoved]);
    assert_eq!(whole(&log).await, 2);
    assert_eq!(log.position(KEY, Uid(3)).await.unwrap(), Position::default());
    assert_eq!(log.hidden(KEY, Uid(3)).await.unwrap(), []);
    assert_eq!(log.load(KEY, 0).await.unwrap().meta, Meta::default());
    assert_eq!(log.single_chats(Uid(3), None, 9).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_nobody_waits_for_goes_on() {
    let (_, log) = log().await;
    let mut writer = Writer::on(&log).await.unwrap();
    let entry = writer.entry(1);
    let append = ConversationAppend { entries: vec![entry], ..ConversationAppend::empty(KEY, 0) };
    let shard = ShardAppend { shard: KEY.shard(), token: writer.claim.token, conversations: vec![append], progress: None };
    {
        let mut appending = Box::pin(log.append(vec![shard]));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(appending.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    }
    let there = async {
        while log.load(KEY, 0).await.unwrap().head_seq == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), there).await.unwrap();
}

/// The log in the hands of who takes shards from everybody, and of a router.
async fn both(log: &PostgresLog) -> [PostgresLog; 2] {
    beat(log, ONE, LONG).await;
    [log.clone(), log.owned_by(ONE)]
}

async fn set_counter(url: &str, counter: u64) {
    let set = format!("UPDATE mynah_log.shards SET counter = {counter} WHERE shard = {}", KEY.shard());
    session(url).await.batch_execute(&set).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_go_on_above_a_stored_counter_that_is_ahead_of_the_clock() {
    let (url, log) = log().await;
    for (ahead, log) in [1_u64 << 43, 1 << 44].into_iter().zip(both(&log).await) {
        set_counter(&url, ahead).await;
        let mut writer = Writer::on(&log).await.unwrap();
        assert_eq!(writer.claim.counter, ahead);
        assert_eq!(writer.next(3).await, Appended::Done);
        assert_eq!(log.claim(&[KEY.shard()]).await.unwrap()[0].counter, ahead + 3);
        // Claims are answered in the order asked.
        let asked = [ConversationKey::Group(1).shard(), KEY.shard(), ConversationKey::Group(2).shard()];
        let claimed: Vec<_> = log.claim(&asked).await.unwrap().iter().map(|claim| claim.shard).collect();
        assert_eq!(claimed, asked);
    }
}

/// Devices may have seen ids that the database has forgotten: they were of an earlier time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_go_on_above_the_clock_in_a_database_that_was_set_back() {
    let (url, log) = log().await;
    for log in both(&log).await {
        set_counter(&url, 7).await;
        let before = SystemClock.now_ms();
        let counter = log.claim(&[KEY.shard()]).await.unwrap()[0].counter;
        assert!(counter >= before, "{counter} at {before}");
    }
}
