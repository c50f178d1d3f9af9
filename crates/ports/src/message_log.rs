//! The message log: entries of all conversations, what proves a retry, read positions, visibility, ownership of shards.
//!
//! Promises of every adapter (the contract suite holds each):
//! - what [`MessageLog::append`] answered with [`Appended::Done`] survives a crash of anything at any moment;
//! - an append whose owner token is not the shard's, or whose expected head is not the conversation's, changes nothing;
//! - entries of one append become visible together, and not before they are durable;
//! - reads see every append that was answered before they began.

use std::time::Duration;

use async_trait::async_trait;
use mynah_types::{Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, Seq, ShardId, Uid};

pub use mynah_types::{Appended, Claim, ConversationAppend, Meta, Progress, RecentSend, ShardAppend, Tail};

/// From an entry's time to when it is durable, at most: an entry that would be later is never there. Who lists by time reaches back so
/// far. It is the sum of what an append may wait, of [`APPEND_WITHIN`], and of what a process may take to end after that.
pub const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// How long an append may take. A store that cannot tell what became of one after that must end with it.
pub const APPEND_WITHIN: Duration = Duration::from_secs(15);

/// Why the log cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine is not reachable or refuses work; nothing was done. Try again later.
    #[error("message log unavailable: {0}")]
    Unavailable(String),
    /// Stored data contradicts itself: someone must look. Nothing was done.
    #[error("message log damaged: {0}")]
    Damaged(String),
}

/// An entry as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The entry.
    pub entry: Entry,
    /// It was taken back later.
    pub retracted: bool,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its conversation.
    pub key: ConversationKey,
    /// Its position.
    pub seq: Seq,
}

/// Direction and bound of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First seq, inclusive.
    pub from: Seq,
    /// Last seq, inclusive.
    pub to: Seq,
    /// At most so many entries.
    pub limit: usize,
    /// At most so many payload bytes; at least one entry is returned all the same.
    pub max_bytes: usize,
    /// The newest of the span rather than the oldest. The result is in ascending order either way.
    pub newest: bool,
}

/// The durable message log. Reads may run on any thread at any time.
#[async_trait]
pub trait MessageLog: Send + Sync + 'static {
    /// Identity of the stored log: another value than a device remembers means that positions are void.
    fn log_epoch(&self) -> String;

    /// Takes the shards over: every earlier token is fenced from now on, and no append of an earlier owner takes effect later.
    /// In the hands of a router that shares the log (see [`crate::ShardLeases`]) what another one holds is left out of the answer.
    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error>;

    /// Appends durably: one outcome per conversation, shards and conversations in the order given.
    /// A dropped future leaves the append running; its outcome is then unknown.
    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>>;

    /// What an actor starts from, with up to `recent` of the newest sends.
    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error>;

    /// The heads of many conversations, in the order given: only `head_*`, `cum_unread` and `meta` are filled.
    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error>;

    /// Entries of a span, ascending.
    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error>;

    /// The entries at these places, in the order given; none where nothing lies.
    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error>;

    /// What the first send under this id was answered.
    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error>;

    /// Where a message lies.
    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error>;

    /// All membership rows of a conversation, those of former members too.
    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error>;

    /// One user's membership row.
    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error>;

    /// A user's marks; zeros if none.
    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error>;

    /// Sum of unread that retractions took back from entries above `floor`, up to `to`.
    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error>;

    /// What a member does not want to see of a conversation, in order of place.
    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error>;

    /// A user's single chats in key order, after `after`, at most `limit`.
    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error>;

    /// Entries of a shard with an id above `after`, by id, at most `limit`: what a new owner may have to deliver again.
    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error>;

    /// For how long the oldest append that has not ended yet is under way, whoever makes it; zero: none is. Its entries are there when it
    /// ends, and have times of before it began.
    async fn under_way(&self) -> Result<Duration, Error>;
}
