//! Appends of unknown outcome over the real log: written all the same, they are delivered and answered as the first time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mynah_fjall::{FjallLog, Options};
use mynah_memory::MemoryBus;
use mynah_ports::MessageLog;
use mynah_ports::message_log::{Appended, Claim, Error, Location, Logged, ShardAppend, Span, Tail};
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_router::{Deps, Gateways, Router, Settings};
use mynah_types::{
    Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, Seq, ShardId, SystemClock, Uid,
};

use crate::directory::FakeDirectory;
use crate::gateway::{GATEWAY, Recorder, connected};
use crate::{SINGLE, send};

/// The real log, whose next append is written, or not, and whose outcome nobody learns.
struct Forgetful {
    log: FjallLog,
    /// The next append has an unknown outcome.
    forgets: AtomicBool,
    /// It is written all the same.
    writes: bool,
    /// Looks at what a shard holds that fail after that.
    unreadable: AtomicU32,
    claims: AtomicU32,
}

#[async_trait]
impl MessageLog for Forgetful {
    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        if !self.forgets.swap(false, Ordering::SeqCst) {
            return self.log.append(batch).await;
        }
        let unknown = batch.iter().map(|shard| vec![Appended::Unknown; shard.conversations.len()]).collect();
        if self.writes {
            let outcomes = self.log.append(batch).await;
            assert!(outcomes.iter().flatten().all(|outcome| *outcome == Appended::Done), "{outcomes:?}");
        }
        unknown
    }

    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.log.claim(shards).await
    }

    async fn under_way(&self) -> Result<Duration, Error> {
        self.log.under_way().await
    }

    fn log_epoch(&self) -> String {
        self.log.log_epoch()
    }

    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
        self.log.load(key, recent).await
    }

    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
        self.log.heads(keys).await
    }

    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
        self.log.entries(key, span).await
    }

    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
        self.log.at(places).await
    }

    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error> {
        self.log.find_send(key, sender, cmid).await
    }

    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error> {
        self.log.find_message(id).await
    }

    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
        self.log.members(key).await
    }

    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
        self.log.member(key, uid).await
    }

    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
        self.log.position(key, uid).await
    }

    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
        self.log.retracted_unread(key, floor, to).await
    }

    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
        self.log.hidden(key, uid).await
    }

    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error> {
        self.log.single_chats(uid, after, limit).await
    }

    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
        let claimed_again = self.claims.load(Ordering::SeqCst) > 1;
        if claimed_again && self.unreadable.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::Unavailable("not now".into()));
        }
        self.log.since(shard, after, limit).await
    }
}

/// Three sends, the second of which has an unknown outcome, and so many looks at the log after it fail: their seqs and ids, and the
/// deliveries' in their order.
async fn three_sends(writes: bool, unreadable: u32) -> (Vec<(u64, u64)>, Vec<(u64, u64)>) {
    let folder = tempfile::tempdir().unwrap();
    let log = FjallLog::open(folder.path(), &Options::default()).unwrap();
    let log = Arc::new(Forgetful {
        log,
        forgets: AtomicBool::new(false),
        writes,
        unreadable: unreadable.into(),
        claims: AtomicU32::new(0),
    });
    let (gateway, mut delivered) = Recorder::start(0);
    let router = Router::start(Deps {
        log: Arc::<Forgetful>::clone(&log),
        bus: Arc::new(MemoryBus::new(64)),
        presence: connected(2).await,
        directory: DirectoryClient::local(FakeDirectory::default()),
        gateways: Gateways::single(GATEWAY, gateway),
        clock: Arc::new(SystemClock),
        ownership: mynah_router::Ownership::Sole,
        settings: Settings::default(),
    });
    let router = RouterClient::local(router.await.unwrap());
    let mut answers = Vec::new();
    for (n, cmid) in ["a", "b", "c"].into_iter().enumerate() {
        log.forgets.store(cmid == "b", Ordering::SeqCst);
        let result = router.send(send(SINGLE, 1, cmid, n as u64)).await.unwrap().results.remove(0);
        assert_eq!(result.failure, None);
        answers.push((result.seq, result.msg_id));
    }
    assert_eq!(log.claims.load(Ordering::SeqCst), 2, "at the start, and after the unknown outcome");
    let again = router.send(send(SINGLE, 1, "b", 1)).await.unwrap().results.remove(0);
    assert!(again.duplicate);
    assert_eq!((again.seq, again.msg_id), answers[1], "a retry gets the first answer");
    let mut deliveries = Vec::new();
    for _ in 0..3 {
        let entry = delivered.next().await;
        deliveries.push((entry.seq, entry.msg_id));
    }
    (answers, deliveries)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_with_an_unknown_outcome_is_answered_and_delivered_in_its_place() {
    let (answers, deliveries) = three_sends(true, 0).await;
    assert_eq!(answers.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(deliveries, answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_with_an_unknown_outcome_is_written_once() {
    let (answers, deliveries) = three_sends(false, 0).await;
    assert_eq!(answers.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(deliveries, answers);
}

/// What was written is not found at once: it is looked for again until it is, and nothing counts as delivered past it meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_with_an_unknown_outcome_is_delivered_once_the_log_can_be_read() {
    let (answers, mut deliveries) = three_sends(true, 3).await;
    deliveries.sort_unstable();
    assert_eq!(deliveries, answers);
}
