//! The service on the embedded log and index.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mynah_engines::PostgreSql;
use mynah_fjall::{FjallLog, FjallReport, Options};
use mynah_ports::report_index::{Active, Error, Place, Queued, Recorded, Scope, Sent, Stretch};
use mynah_ports::{MessageLog, ReportIndex};
use mynah_postgres_log::PostgresLog;
use mynah_proto::device::{Entry as Payload, Message, Party, Target, entry};
use mynah_proto::report::HistoryRequest;
use mynah_proto::{DirectoryClient, ReportClient};
use mynah_report::{Deps, Report, Settings};
use mynah_types::{
    AppKey, Appended, Claim, ConversationAppend, ConversationKey, Entry, EntryKind, ManualClock, Millis, MsgId, Reason, SHARDS,
    ShardAppend, ShardId, Uid,
};
use prost::Message as _;

const NOW: u64 = 1_767_240_000_000;
const APP: &str = "0123456789abcdef01234567";

struct World {
    log: Arc<dyn MessageLog>,
    claims: HashMap<ShardId, Claim>,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = FjallLog::open(&folder.path().join("log"), &Options::default()).unwrap();
        Self::on(Arc::new(log), folder).await
    }

    async fn on(log: Arc<dyn MessageLog>, folder: tempfile::TempDir) -> Self {
        let shards: Vec<ShardId> = (0..SHARDS).map(ShardId).collect();
        let claims = log.claim(&shards).await.unwrap();
        Self { log, claims: claims.into_iter().map(|claim| (claim.shard, claim)).collect(), folder }
    }

    /// The service on an index of its own.
    fn report(&self, index: &str, settings: Settings) -> ReportClient {
        let index = FjallReport::open(&self.folder.path().join(index), &self.log.log_epoch(), 480).unwrap();
        ReportClient::local(self.service(Arc::new(index), settings))
    }

    fn service(&self, index: Arc<dyn ReportIndex>, settings: Settings) -> Report {
        Report::new(Deps {
            log: Arc::clone(&self.log),
            index,
            directory: DirectoryClient::late(),
            clock: Arc::new(ManualClock::at(NOW)),
            settings,
        })
    }

    /// The first message of a group.
    async fn say(&mut self, gid: u64, ctime: u64, text: &str) {
        let batch = self.said(gid, ctime, text);
        assert_eq!(self.log.append(vec![batch]).await[0][0], Appended::Done);
    }

    fn said(&mut self, gid: u64, ctime: u64, text: &str) -> ShardAppend {
        let key = ConversationKey::Group(gid);
        let claim = self.claims.get_mut(&key.shard()).unwrap();
        claim.counter += 1;
        let message =
            Message { msg_type: "text".into(), msg_body: format!(r#"{{"text":"{text}"}}"#).into(), ..Message::default() };
        let payload = Payload {
            from: Some(Party { username: "anna".into(), appkey: APP.into(), ..Party::default() }),
            target: Some(Target { r#type: "group".into(), id: gid.to_string(), ..Target::default() }),
            kind: Some(entry::Kind::Message(message)),
            ..Payload::default()
        };
        let entry = Entry {
            seq: 1,
            msg_id: MsgId::compose(claim.counter, key.shard()),
            ctime,
            sender: Uid(1),
            cmid: None,
            content_hash: 0,
            member_version: 1,
            cum_unread: 1,
            kind: EntryKind::Message { unread_delta: 1, no_offline: false },
            payload: payload.encode_to_vec().into(),
        };
        let append = ConversationAppend { entries: vec![entry], ..ConversationAppend::empty(key, 0) };
        ShardAppend { shard: key.shard(), token: claim.token, conversations: vec![append], progress: None }
    }
}

fn page(limit: u32, settled: bool) -> HistoryRequest {
    HistoryRequest { appkey: APP.into(), to_ms: NOW + 1000, limit, settled, with_total: true, ..HistoryRequest::default() }
}

async fn times(report: &ReportClient, request: HistoryRequest) -> (Vec<u64>, bool) {
    let reply = report.history(request).await.unwrap();
    (reply.messages.iter().map(|m| m.ctime_ms - NOW).collect(), reply.more)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_passes_a_message_that_is_still_on_its_way() {
    let mut world = World::new().await;
    for (gid, after) in [(1, 1), (3, 3), (4, 4)] {
        world.say(gid, NOW + after, "young").await;
    }
    let report = world.report("index", Settings { settles_after: Duration::from_millis(500), ..Settings::default() });
    // The page that goes on is asked for; a message with an earlier time gets into the log after it was looked for.
    let asked = tokio::spawn({
        let report = report.clone();
        async move { times(&report, page(2, true)).await }
    });
    while report.history(page(9, false)).await.unwrap().total < 3 {}
    world.say(2, NOW + 2, "late").await;
    assert_eq!(asked.await.unwrap(), (vec![1, 2], true));
    let next = HistoryRequest { after_ms: NOW + 2, after_id: u64::MAX >> 1, ..page(2, true) };
    assert_eq!(times(&report, next).await, (vec![3, 4], false));
}

/// The message got its time long ago, and its append hangs.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_passes_a_message_whose_append_hangs() {
    let server = tokio::task::block_in_place(PostgreSql::start).unwrap();
    server.create_database("log").unwrap();
    let url = server.url("log");
    let log = Arc::new(PostgresLog::open(&url, &mynah_postgres_log::Options::default()).await.unwrap());
    let mut world = World::on(log.clone(), tempfile::tempdir().unwrap()).await;
    for (gid, after) in [(1, 1), (3, 3), (4, 4)] {
        world.say(gid, NOW + after, "young").await;
    }
    let (gate, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    gate.batch_execute("BEGIN; LOCK TABLE mynah_log.entries IN SHARE MODE").await.unwrap();
    let late = world.said(2, NOW + 2, "late");
    let appending = tokio::spawn({
        let log = log.clone();
        async move { log.append(vec![late]).await }
    });
    while log.under_way().await.unwrap().is_zero() {}
    let report = world.report("index", Settings { settles_after: Duration::from_millis(200), ..Settings::default() });
    let refused = report.history(page(2, true)).await.unwrap_err();
    assert_eq!(refused.why(), Reason::Unavailable, "{refused:?}");
    gate.batch_execute("COMMIT").await.unwrap();
    assert_eq!(appending.await.unwrap(), [[Appended::Done]]);
    assert_eq!(times(&report, page(2, true)).await, (vec![1, 2], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_goes_on_ends_before_the_young_ones() {
    let mut world = World::new().await;
    let old = NOW - 60_000;
    for gid in 1..=5 {
        world.say(gid, if gid < 3 { old } else { NOW }, "text").await;
    }
    let report = world.report("index", Settings::default());
    let first = report.history(page(4, true)).await.unwrap();
    assert_eq!((first.messages.len(), first.more, first.total), (2, true, 5));
    assert_eq!(report.history(page(5, true)).await.unwrap().messages.len(), 5, "the last page holds all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_lost_is_made_again() {
    let mut world = World::new().await;
    for gid in 1..=300 {
        world.say(gid, NOW + gid, "text").await;
    }
    let report = world.report("one", Settings::default());
    let (before, _) = times(&report, page(1000, false)).await;
    assert_eq!(before, (1..=300).collect::<Vec<_>>());
    let again = world.report("two", Settings::default());
    assert_eq!(times(&again, page(1000, false)).await.0, before);
}

/// An index that holds nothing, and fails when it is told to.
#[derive(Default)]
struct Fragile(AtomicU8);

const WORKS: u8 = 0;
const TAKES_NOTHING: u8 = 1;
const IS_DEAD: u8 = 2;

impl Fragile {
    fn answer<T>(&self, fails_from: u8, value: T) -> Result<T, Error> {
        if self.0.load(Ordering::Relaxed) < fails_from { Ok(value) } else { Err(Error::Unavailable("no disk".into())) }
    }
}

#[async_trait]
impl ReportIndex for Fragile {
    async fn positions(&self) -> Result<Vec<(ShardId, MsgId)>, Error> {
        self.answer(IS_DEAD, Vec::new())
    }
    async fn record(&self, _: ShardId, _: MsgId, _: Vec<Recorded>) -> Result<(), Error> {
        self.answer(TAKES_NOTHING, ())
    }
    async fn count(&self, _: &Scope, _: Stretch) -> Result<u64, Error> {
        self.answer(IS_DEAD, 0)
    }
    async fn places(&self, _: &Scope, _: Stretch, _: Option<(Millis, MsgId)>, _: u64, _: usize) -> Result<Vec<Place>, Error> {
        self.answer(IS_DEAD, Vec::new())
    }
    async fn sent(&self, _: &AppKey, _: u64, _: u64) -> Result<Vec<Sent>, Error> {
        self.answer(IS_DEAD, Vec::new())
    }
    async fn active(&self, _: &AppKey, _: u64) -> Result<Active, Error> {
        self.answer(IS_DEAD, Active::default())
    }
    async fn forget_before(&self, _: u64) -> Result<(), Error> {
        self.answer(TAKES_NOTHING, ())
    }
    async fn queued(&self, _: &AppKey, _: usize) -> Result<Vec<Queued>, Error> {
        self.answer(IS_DEAD, Vec::new())
    }
    async fn waiting(&self, _: &AppKey) -> Result<Option<(u64, u64)>, Error> {
        self.answer(IS_DEAD, None)
    }
    async fn taken(&self, _: &AppKey, _: u64) -> Result<(), Error> {
        self.answer(TAKES_NOTHING, ())
    }
}

/// A disk that is full answers what it holds: only who writes sees it.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_while_the_index_answers_and_follows() {
    let mut world = World::new().await;
    let index = Arc::new(Fragile::default());
    let settings = Settings { follow_every: Duration::from_millis(20), ..Settings::default() };
    let report = world.service(Arc::clone(&index) as Arc<dyn ReportIndex>, settings);
    tokio::spawn(report.clone().run());
    assert_eq!(report.works().await, Ok(()));

    index.0.store(IS_DEAD, Ordering::Relaxed);
    assert_eq!(report.works().await, Err("report index unavailable: no disk".into()));
    index.0.store(TAKES_NOTHING, Ordering::Relaxed);
    world.say(1, NOW, "text").await;
    until(&report, |works| *works == Err("the report index does not answer: try again".into())).await;
    index.0.store(WORKS, Ordering::Relaxed);
    until(&report, Result::is_ok).await;
}

async fn until(report: &Report, says: impl Fn(&Result<(), String>) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !says(&report.works().await) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap();
}
