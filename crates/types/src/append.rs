//! What an owner asks of the log, and what an actor starts from: shared by the pure domain and the log's port.

use crate::{
    Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, Millis, MsgId, OwnerToken, Position, Seq, ShardId, Uid,
};

/// What one shard's owner wants to append, in one durable step with the other shards of the batch.
#[derive(Debug, Clone)]
pub struct ShardAppend {
    /// The shard.
    pub shard: ShardId,
    /// The caller's ownership, from a claim.
    pub token: OwnerToken,
    /// Appends of different conversations of this shard, each standing alone.
    pub conversations: Vec<ConversationAppend>,
    /// Delivery progress to store with it, if it moved.
    pub progress: Option<Progress>,
}

/// Additions to one conversation.
#[derive(Debug, Clone)]
pub struct ConversationAppend {
    /// The conversation, of the shard it is listed under.
    pub key: ConversationKey,
    /// Seq of the last entry that the caller knows; 0 for none.
    pub expected_head: Seq,
    /// In order, seqs from `expected_head + 1`, msg_ids rising and above every earlier one of the shard. May be empty.
    pub entries: Vec<Entry>,
    /// Marks to raise; a stored mark that is higher stays. Zero fields say nothing.
    pub positions: Vec<(Uid, Position)>,
    /// Membership rows to replace.
    pub members: Vec<(Uid, Membership)>,
    /// Replaces the conversation's own row.
    pub meta: Option<Meta>,
    /// Stretches that members do not want to see: each replaces the one of the same user that begins at its place. One that ends
    /// before it begins is taken out.
    pub hidden: Vec<(Uid, Hidden)>,
    /// Entries below are forgotten, with all that finds them; 0 forgets none. The last entry always stays.
    pub drop_below: Seq,
    /// Users whose list of single chats gains this conversation (given with its first entry).
    pub listed_for: Vec<Uid>,
}

impl ConversationAppend {
    /// Nothing to add yet.
    #[must_use]
    pub fn empty(key: ConversationKey, expected_head: Seq) -> Self {
        Self {
            key,
            expected_head,
            entries: Vec::new(),
            positions: Vec::new(),
            members: Vec::new(),
            meta: None,
            hidden: Vec::new(),
            drop_below: 0,
            listed_for: Vec::new(),
        }
    }
}

/// What a conversation knows of itself beside its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meta {
    /// Version of the last membership change applied.
    pub member_version: u64,
    /// The group or room is gone; nothing is appended any more.
    pub dissolved: bool,
    /// The newest entry that mentions everybody.
    pub at_all_seq: Seq,
    /// The first entry that is kept; 0 and 1: all are.
    pub min_seq: Seq,
}

/// Delivery progress of a shard: every entry with an id up to these has been completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Handed to the gateways.
    pub delivered: MsgId,
    /// Acknowledged by the bus.
    pub published: MsgId,
}

/// Outcome of one conversation's append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// Durable.
    Done,
    /// The head is not the expected one, an id is not new, or a cmid is used: load and decide again. Nothing of it was written.
    HeadMoved,
    /// The token is not the shard's owner any more. Nothing of it was written.
    Fenced,
    /// It may or may not be written, now or later: claim the shard again, then load and decide again.
    Unknown,
}

/// Ownership of a shard, newly taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The shard.
    pub shard: ShardId,
    /// One above the last owner's.
    pub epoch: u64,
    /// Fresh: names this ownership.
    pub token: OwnerToken,
    /// Highest msg_id counter that was ever used in the shard; 0 for none. The owner starts above it.
    pub counter: u64,
    /// Where delivery stood.
    pub progress: Progress,
}

/// What a conversation's actor starts from.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Seq of the last entry; 0 for an empty conversation.
    pub head_seq: Seq,
    /// Its time.
    pub head_ctime: Millis,
    /// Its id.
    pub head_msg_id: MsgId,
    /// Running sum of unread at the head.
    pub cum_unread: u64,
    /// The conversation's own row.
    pub meta: Meta,
    /// The newest sends, oldest first, at most as many as asked for: (seq, sender, cmid, answer).
    pub recent: Vec<RecentSend>,
    /// First seq that `recent` covers without a gap: a cmid of a later entry that is not in it was never used.
    pub recent_from: Seq,
}

/// One send of the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentSend {
    /// The sender.
    pub sender: Uid,
    /// His id for it.
    pub cmid: Cmid,
    /// What he was answered.
    pub first: FirstAnswer,
}
