//! What a conversation's log holds.

use bytes::Bytes;

use crate::{Cmid, Millis, MsgId, Seq, Uid};

/// One entry of a conversation: a message, an event (e.g. a membership change) or a retraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position in the conversation.
    pub seq: Seq,
    /// Given by the log writer; 0 until then.
    pub msg_id: MsgId,
    /// Server time, never below the one of the entry before.
    pub ctime: Millis,
    /// Who caused it; uid 0 is the system.
    pub sender: Uid,
    /// The sender's id for it; none for events.
    pub cmid: Option<Cmid>,
    /// Hash of the parsed content, to tell a retry from another message under the same cmid.
    pub content_hash: u64,
    /// Version of the membership that this entry was decided under; an event that changes it carries the new one.
    pub member_version: u64,
    /// Running sum of what counts as unread, this entry included.
    pub cum_unread: u64,
    /// What it is.
    pub kind: EntryKind,
    /// The parts that only the edge reads: protobuf of `mynah.device.v1.Entry` with `from`, `target` and the body set.
    pub payload: Bytes,
}

/// The part of an entry that the router decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A message.
    Message {
        /// What it adds to unread; 0 if it does not count.
        unread_delta: u32,
        /// Only for devices that are online now: pushed, but not returned to those that come later.
        no_offline: bool,
    },
    /// A membership event or another event of the conversation.
    Event,
    /// Takes back an earlier message.
    Retract {
        /// The message taken back.
        msg_id: MsgId,
        /// Its position.
        seq: Seq,
    },
}

impl EntryKind {
    /// What it adds to the running sum of unread.
    #[must_use]
    pub fn unread_delta(self) -> u32 {
        match self {
            Self::Message { unread_delta, no_offline: false } => unread_delta,
            Self::Message { .. } | Self::Event | Self::Retract { .. } => 0,
        }
    }
}

/// What the first send under a client message id was answered: every retry gets it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstAnswer {
    /// Position given.
    pub seq: Seq,
    /// Id given.
    pub msg_id: MsgId,
    /// Time given.
    pub ctime: Millis,
    /// Hash of what was sent.
    pub content_hash: u64,
}

/// A user's marks in one conversation. All only rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Read up to here by the user's own word.
    pub read_seq: Seq,
    /// The newest message that the user sent.
    pub own_seq: Seq,
    /// Entries up to here were deleted by the user for himself.
    pub deleted_to: Seq,
    /// The newest entry that mentions the user.
    pub at_me_seq: Seq,
}

/// A part of a group that a member does not want to see: its messages between two places, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The first place.
    pub from: Seq,
    /// The last place; none: still going on.
    pub until: Option<Seq>,
}

/// What an entry does to the membership of its group, for those who deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberChange {
    /// Who came in with it.
    pub added: Vec<Uid>,
    /// Who went out with it.
    pub removed: Vec<Uid>,
    /// Who is certainly no member after it. Known where the entry was read from the log again: who came back later was out before.
    pub outside: Vec<Uid>,
    /// The group or room is gone with it.
    pub dissolved: bool,
}

/// A member's role in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary member.
    Member,
    /// May manage members.
    Keeper,
    /// One per group.
    Owner,
}

/// What the log knows of a user in a group or chatroom: his rights now, and what of the conversation he may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The membership version that brought the latest join.
    pub from_version: u64,
    /// First entry he may see: his latest join.
    pub from_seq: Seq,
    /// Last entry he may see, if he left: his removal.
    pub until_seq: Option<Seq>,
    /// His role, while a member.
    pub role: Role,
    /// May read but not send.
    pub silenced: bool,
}

impl Membership {
    /// Whether he is a member now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.until_seq.is_none()
    }
}
