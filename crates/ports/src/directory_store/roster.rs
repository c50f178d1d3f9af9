//! Groups and chatrooms as the store keeps them.

use bytes::Bytes;
use mynah_types::{AppId, ConversationKey, Millis, Role, Uid};

/// What a roster is the member list of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RosterKind {
    /// A group.
    Group,
    /// A chatroom.
    Room,
}

/// A group or chatroom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// gid or room id.
    pub id: u64,
    /// Which of the two.
    pub kind: RosterKind,
    /// Its app.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub desc: String,
    /// Its picture.
    pub avatar: String,
    /// Groups: 1 private, 2 public.
    pub flag: u8,
    /// Its owner; the last one it had, if it is dissolved.
    pub owner: Uid,
    /// How many members it has.
    pub members: u32,
    /// Version of its newest change: 1, 2, 3 …
    pub version: u64,
    /// The router has confirmed every change up to this one.
    pub applied: u64,
    /// It is gone; its number and its changes stay.
    pub dissolved: bool,
    /// The process that made it; see [`NewRoster::maker`].
    pub maker: u64,
    /// When it was made.
    pub ctime: Millis,
    /// When it last changed.
    pub mtime: Millis,
}

impl Roster {
    /// Its conversation.
    #[must_use]
    pub fn key(&self) -> ConversationKey {
        match self.kind {
            RosterKind::Group => ConversationKey::Group(self.id),
            RosterKind::Room => ConversationKey::Room(self.id),
        }
    }
}

/// A member of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub uid: Uid,
    /// His role.
    pub role: Role,
    /// May read but not send.
    pub silenced: bool,
    /// When he came in.
    pub joined: Millis,
    /// The version that brought him in.
    pub since_version: u64,
}

/// A committed change: what the router is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its version.
    pub version: u64,
    /// Who came in, and as what.
    pub joined: Vec<(Uid, Role)>,
    /// Who went out.
    pub left: Vec<Uid>,
    /// Members whose role changed, or whether they are silenced: as they are now.
    pub changed: Vec<(Uid, Role, bool)>,
    /// The roster is gone with it.
    pub dissolved: bool,
    /// The event to append; empty for none.
    pub payload: Bytes,
    /// Who did it; uid 0 is the system.
    pub actor: Uid,
}

/// Bounds that only the transaction can hold.
#[derive(Debug, Clone, Copy)]
pub struct ChangeLimits {
    /// Members of the roster after the change.
    pub max_members: u32,
    /// Groups that each joining user may be in after it; chatrooms do not count.
    pub max_groups_per_user: u32,
}

/// Makes the payload of a roster's first change, once its number is known. Runs inside the transaction: it must be quick and pure.
pub type FirstPayload = Box<dyn FnOnce(u64) -> Bytes + Send>;

/// A roster to be made: its version 1 brings in the owner and the members.
pub struct NewRoster {
    /// Group or chatroom.
    pub kind: RosterKind,
    /// Its app.
    pub app: AppId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub desc: String,
    /// Its picture.
    pub avatar: String,
    /// Groups: 1 private, 2 public.
    pub flag: u8,
    /// The owner, a member too.
    pub owner: Uid,
    /// The other members, each once.
    pub members: Vec<Uid>,
    /// Bounds.
    pub limits: ChangeLimits,
    /// Makes the first change's event.
    pub payload: FirstPayload,
    /// Who did it.
    pub actor: Uid,
    /// The process whose call makes it, below 2^63; 0 where there is one only.
    pub maker: u64,
    /// Now.
    pub now: Millis,
}

/// What people know a roster by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Its name.
    pub name: String,
    /// Its description.
    pub desc: String,
    /// Its picture.
    pub avatar: String,
}

/// A change to be committed as version `seen_version + 1`.
#[derive(Debug, Clone)]
pub struct RosterChange {
    /// The roster.
    pub id: u64,
    /// The version that the caller decided by.
    pub seen_version: u64,
    /// The change; its version is one above the seen one. A new owner is among `changed`. When it dissolves, all members go.
    pub change: Change,
    /// What it is called from now on, if that changes with it.
    pub details: Option<Details>,
    /// Bounds.
    pub limits: ChangeLimits,
    /// Now.
    pub now: Millis,
}
