//! What a conversation is asked, what it may need to know, and what it answers.

use bytes::Bytes;
use mynah_types::{Cmid, EntryKind, FirstAnswer, Millis, MsgId, Reason, Role, Seq, Uid};

/// A request to one conversation.
#[derive(Debug, Clone)]
pub enum Command {
    /// Send messages, in order.
    Send(SendCommand),
    /// Take a message back.
    Retract(RetractCommand),
    /// Move a read position.
    Read(ReadCommand),
    /// Apply committed membership changes, in order of their versions.
    Apply(Vec<Change>),
    /// Add events to a feed, each once.
    Post(Vec<PostItem>),
    /// A member hides what is said from now on, or no more.
    Hide(HideCommand),
    /// The relations of a single chat's two users changed: they are read again, so that notices may come in any order.
    RightsChanged,
}

impl Command {
    /// Bytes that it may add to a batch.
    #[must_use]
    pub fn weight(&self) -> usize {
        const OVERHEAD: usize = 128;
        match self {
            Self::Send(send) => send.items.iter().map(|i| i.payload.len() + OVERHEAD).sum(),
            Self::Retract(retract) => retract.payload.len() + OVERHEAD,
            Self::Apply(changes) => changes.iter().map(|c| c.payload.len() + OVERHEAD).sum(),
            Self::Post(items) => items.iter().map(|i| i.payload.len() + OVERHEAD).sum(),
            Self::Read(_) | Self::Hide(_) | Self::RightsChanged => OVERHEAD,
        }
    }
}

/// Messages of one sender.
#[derive(Debug, Clone)]
pub struct SendCommand {
    /// The sender.
    pub sender: Uid,
    /// An admin by REST: membership, blacklist, silence and room rules do not bind him.
    pub privileged: bool,
    /// The sender's connection is inside the room.
    pub in_room: bool,
    /// The connection that gets the ack instead of a delivery; 0 for none.
    pub origin_conn: u64,
    /// At least one.
    pub items: Vec<SendItem>,
}

/// One message.
#[derive(Debug, Clone)]
pub struct SendItem {
    /// The sender's id for it.
    pub cmid: Cmid,
    /// Hash of the parsed content.
    pub content_hash: u64,
    /// What the edge made; opaque.
    pub payload: Bytes,
    /// Only for devices online now.
    pub no_offline: bool,
    /// What it adds to unread.
    pub unread_delta: u32,
    /// Who is mentioned.
    pub mentions: Vec<Uid>,
    /// Everybody is mentioned.
    pub mention_all: bool,
    /// It holds a word that its app does not let through.
    pub sensitive: bool,
}

/// A retraction.
#[derive(Debug, Clone)]
pub struct RetractCommand {
    /// Who takes it back.
    pub actor: Uid,
    /// The message.
    pub msg_id: MsgId,
    /// What the edge made; opaque.
    pub payload: Bytes,
    /// The connection that gets the answer instead of a delivery; 0 for none.
    pub origin_conn: u64,
    /// By the app's own server: membership does not bind.
    pub privileged: bool,
}

/// A read position.
#[derive(Debug, Clone, Copy)]
pub struct ReadCommand {
    /// The reader.
    pub uid: Uid,
    /// Read up to here.
    pub read_seq: Seq,
}

/// An event for a feed.
#[derive(Debug, Clone)]
pub struct PostItem {
    /// Names the event: posted again under the same id it takes no effect.
    pub id: Cmid,
    /// What the directory made; opaque.
    pub payload: Bytes,
}

/// Whether a member wants to see what is said in a group.
#[derive(Debug, Clone, Copy)]
pub struct HideCommand {
    /// The member.
    pub uid: Uid,
    /// He hides it.
    pub hidden: bool,
}

/// One committed change of a group's or room's membership.
#[derive(Debug, Clone)]
pub struct Change {
    /// 1, 2, 3 … per conversation; 1 creates it.
    pub version: u64,
    /// Who came in: role and silence.
    pub joined: Vec<(Uid, Role, bool)>,
    /// Who went out.
    pub left: Vec<Uid>,
    /// Members whose role or silence is another now.
    pub changed: Vec<(Uid, Role, bool)>,
    /// The group or room is gone.
    pub dissolved: bool,
    /// The event's payload; empty for a change that makes no entry.
    pub payload: Bytes,
    /// Who did it; 0 is the system.
    pub actor: Uid,
}

/// Relations of a single chat's two users; `a` is the smaller uid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairRights {
    /// `a` has `b` in his blacklist.
    pub a_blocks_b: bool,
    /// `b` has `a` in his blacklist.
    pub b_blocks_a: bool,
    /// `a` is a living user.
    pub a_exists: bool,
    /// `b` is a living user.
    pub b_exists: bool,
}

/// Something that only the log or the directory knows, asked before a batch is decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    /// The first answer to a send that the window does not cover.
    Send {
        /// The sender.
        sender: Uid,
        /// His id for it.
        cmid: Cmid,
    },
    /// A message to be taken back.
    Target(MsgId),
    /// A user's stored read position.
    ReadMark(Uid),
    /// The relations of a single chat's two users.
    Rights,
    /// The first entry of a feed that is young enough to be kept.
    KeptFrom {
        /// The first one that is there.
        from: Seq,
        /// The last one.
        to: Seq,
    },
    /// What a member hides and has not ended.
    Hidden(Uid),
    /// Changes above a version: an earlier one has not arrived.
    Changes {
        /// The version applied.
        after: u64,
    },
}

/// The answer to a [`Lookup`].
#[derive(Debug, Clone)]
pub enum Fact {
    /// To `Send`.
    Send(Option<FirstAnswer>),
    /// To `Target`; none if it is no message of this conversation.
    Target(Option<TargetFact>),
    /// To `ReadMark`.
    ReadMark(Seq),
    /// To `Rights`.
    Rights(PairRights),
    /// To `KeptFrom`.
    KeptFrom(Seq),
    /// To `Hidden`: where the open stretch begins.
    Hidden(Option<Seq>),
    /// To `Changes`: without a gap from the version asked for.
    Changes(Vec<Change>),
}

/// A message to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetFact {
    /// Its position.
    pub seq: Seq,
    /// Its sender.
    pub sender: Uid,
    /// Its time.
    pub ctime: Millis,
    /// What it is.
    pub kind: EntryKind,
    /// It was taken back before.
    pub retracted: bool,
}

/// A refusal. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// `CmidConflict`: what the first send was answered.
    pub first: Option<FirstAnswer>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, first: None }
    }
}

/// What a command is answered, in the form of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One result per item, in order.
    Sent(Vec<Result<Sent, Refusal>>),
    /// The retraction's own position.
    Retracted(Result<Seq, Refusal>),
    /// The position as it stands now.
    Read(Result<ReadDone, Refusal>),
    /// The version applied.
    Applied(Result<u64, Refusal>),
    /// The events are in the feed.
    Posted(Result<(), Refusal>),
    /// It is as wanted.
    Hidden(Result<(), Refusal>),
    /// Taken note of.
    Noted(Result<(), Refusal>),
}

/// A message that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub msg_id: MsgId,
    /// Its position.
    pub seq: Seq,
    /// Its time.
    pub ctime: Millis,
    /// It was there before: this is the first answer again.
    pub duplicate: bool,
}

/// A read position after a [`ReadCommand`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadDone {
    /// Where it stands.
    pub read_seq: Seq,
    /// It moved.
    pub moved: bool,
}
