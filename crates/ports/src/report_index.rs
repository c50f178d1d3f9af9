//! The report index: who said something when, by app, by user and by conversation. It is made from the message log, and can be made
//! again at any time; it holds places of messages, not messages.
//!
//! Promises of every adapter (the contract suite holds each):
//! - what one [`ReportIndex::record`] says becomes visible together, counters and position included, or not at all;
//! - a place is listed once in each scope, in ascending order of (time, msg_id);
//! - an index whose log epoch or zone is not the one it is opened with begins anew, with nothing in it.

use async_trait::async_trait;
use mynah_types::{AppKey, ConversationKey, Millis, MsgId, Seq, ShardId, Uid};

/// Why the index cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine is not reachable or refuses work. Try again later.
    #[error("report index unavailable: {0}")]
    Unavailable(String),
    /// Stored data contradicts itself. The index can be deleted and is then made again.
    #[error("report index damaged: {0}")]
    Damaged(String),
}

/// Whose messages are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All that was sent by users of an app.
    App(AppKey),
    /// What a user sent, and what was sent to him alone.
    User(Uid),
    /// What was said in a group or room.
    Conversation(ConversationKey),
}

/// What kind of target a message went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SentTo {
    /// One user.
    Single,
    /// A group.
    Group,
    /// A chatroom.
    Room,
}

/// The kinds of messages that statistics tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// `text`.
    Text,
    /// `image`.
    Image,
    /// `voice`.
    Voice,
    /// All others.
    Other,
}

/// A message, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The sender's app.
    pub app: AppKey,
    /// Its sender.
    pub sender: Uid,
    /// Where it lies.
    pub place: Place,
    /// The kind of its content.
    pub sort: Sort,
    /// It waits for the app's callback too.
    pub queued: bool,
}

/// Where a message lies, and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Server time.
    pub ctime: Millis,
    /// Its id.
    pub msg_id: MsgId,
    /// Its conversation.
    pub key: ConversationKey,
    /// Its position there.
    pub seq: Seq,
}

/// A stretch of time; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first millisecond.
    pub from: Millis,
    /// The last millisecond.
    pub to: Millis,
}

/// How many messages of one kind an app sent in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Hours of the zone since 1970.
    pub hour: u64,
    /// To what.
    pub to: SentTo,
    /// Of what kind.
    pub sort: Sort,
    /// How many.
    pub count: u64,
}

/// Who was active on a day, in an app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Active {
    /// Users who sent something.
    pub senders: u64,
    /// Groups in which something was said.
    pub groups: u64,
}

/// A message that waits for an app's callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the queue: rising.
    pub number: u64,
    /// The message.
    pub place: Place,
}

/// The index. Days and hours are those of the zone that it was opened with.
#[async_trait]
pub trait ReportIndex: Send + Sync + 'static {
    /// How far each shard of the log was recorded; shards without a position are left out.
    async fn positions(&self) -> Result<Vec<(ShardId, MsgId)>, Error>;

    /// Records messages of a shard, and that it is recorded up to `upto`. A shard that is recorded so far already is left as it is. One
    /// caller at a time.
    async fn record(&self, shard: ShardId, upto: MsgId, messages: Vec<Recorded>) -> Result<(), Error>;

    /// How many messages a scope has in a stretch.
    async fn count(&self, scope: &Scope, stretch: Stretch) -> Result<u64, Error>;

    /// Places of a scope in a stretch after (time, msg_id), without the first `skip`, at most `limit`.
    async fn places(
        &self,
        scope: &Scope,
        stretch: Stretch,
        after: Option<(Millis, MsgId)>,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<Place>, Error>;

    /// What an app sent in the hours `from..=to`, ascending; hours in which nothing was sent are left out.
    async fn sent(&self, app: &AppKey, from: u64, to: u64) -> Result<Vec<Sent>, Error>;

    /// Who was active in an app on a day of the zone (days since 1970).
    async fn active(&self, app: &AppKey, day: u64) -> Result<Active, Error>;

    /// Forgets all days before this one, except what statistics count by the hour.
    async fn forget_before(&self, day: u64) -> Result<(), Error>;

    /// The oldest that wait for an app's callback, at most `limit`.
    async fn queued(&self, app: &AppKey, limit: usize) -> Result<Vec<Queued>, Error>;

    /// The first and the last number that wait for an app's callback.
    async fn waiting(&self, app: &AppKey) -> Result<Option<(u64, u64)>, Error>;

    /// What waits for an app's callback up to a number was taken, or given up.
    async fn taken(&self, app: &AppKey, upto: u64) -> Result<(), Error>;
}
