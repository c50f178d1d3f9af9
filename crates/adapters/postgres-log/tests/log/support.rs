//! One server for all tests, a database for each; a writer that appends one entry after the other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use mynah_engines::PostgreSql;
use mynah_ports::MessageLog as _;
use mynah_ports::message_log::{Error, Span};
use mynah_postgres_log::{OpenError, PostgresLog};
use mynah_types::{
    Appended, Claim, Cmid, ConversationAppend, ConversationKey, Entry, EntryKind, MsgId, OwnerToken, Seq, ShardAppend, Uid,
};

pub const KEY: ConversationKey = ConversationKey::Group(10_000_001);

/// A new, empty database on the server that all tests share; its address.
pub fn new_database() -> String {
    static SERVER: OnceLock<PostgreSql> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| PostgreSql::start().unwrap());
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).unwrap();
    server.url(&name)
}

/// What several starters at once tell of the log: all the same.
pub async fn of_starters<F>(start: impl Fn() -> F) -> String
where
    F: Future<Output = Result<String, OpenError>> + Send + 'static,
{
    let starting: Vec<_> = (0..6).map(|_| tokio::spawn(start())).collect();
    let mut epochs = Vec::new();
    for starter in starting {
        epochs.push(starter.await.unwrap().unwrap());
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
    epochs.remove(0)
}

/// An owner of the shard of [`KEY`].
pub struct Writer {
    pub log: PostgresLog,
    pub claim: Claim,
    counter: u64,
    pub head: Seq,
}

impl Writer {
    pub async fn on(log: &PostgresLog) -> Result<Self, Error> {
        let claim = log.claim(&[KEY.shard()]).await?[0];
        let head = log.load(KEY, 0).await?.head_seq;
        Ok(Self { log: log.clone(), claim, counter: claim.counter, head })
    }

    /// The next entry of a conversation; its content tells its place.
    pub fn entry(&mut self, seq: Seq) -> Entry {
        self.counter += 1;
        Entry {
            seq,
            msg_id: MsgId::compose(self.counter, KEY.shard()),
            ctime: seq,
            sender: Uid(1),
            cmid: Some(Cmid::parse(&format!("m{seq}")).unwrap()),
            content_hash: u64::MAX - seq,
            member_version: 1,
            cum_unread: seq,
            kind: EntryKind::Message { unread_delta: 1, no_offline: false },
            payload: payload(seq),
        }
    }

    /// Appends what is given under another token too.
    pub async fn append(&self, token: OwnerToken, conversations: Vec<ConversationAppend>) -> Vec<Appended> {
        let shard = ShardAppend { shard: KEY.shard(), token, conversations, progress: None };
        self.log.append(vec![shard]).await.remove(0)
    }

    /// Appends the next entries.
    pub async fn next(&mut self, count: u64) -> Appended {
        let entries: Vec<Entry> = (self.head + 1..=self.head + count).map(|seq| self.entry(seq)).collect();
        let append = ConversationAppend { entries, ..ConversationAppend::empty(KEY, self.head) };
        let outcome = self.append(self.claim.token, vec![append]).await[0];
        if outcome == Appended::Done {
            self.head += count;
        }
        outcome
    }
}

fn payload(seq: Seq) -> Bytes {
    format!("payload {seq} ").repeat(20).into()
}

/// How many entries are there; each must be what was written, without a gap, and found by its id and its sender's id.
pub async fn whole(log: &PostgresLog) -> Seq {
    let head = log.load(KEY, 0).await.unwrap().head_seq;
    let mut from = 1;
    while from <= head {
        let span = Span { from, to: head, limit: 500, max_bytes: usize::MAX, newest: false };
        let page = log.entries(KEY, span).await.unwrap();
        assert!(!page.is_empty(), "nothing at {from} of {head}");
        for logged in page {
            let entry = logged.entry;
            assert_eq!((entry.seq, entry.content_hash, entry.payload), (from, u64::MAX - from, payload(from)));
            from += 1;
        }
    }
    head
}
