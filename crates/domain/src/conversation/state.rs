//! What a conversation's actor knows.

use std::collections::BTreeMap;

use mynah_types::{ConversationKey, ConversationKind, Membership, Meta, Millis, Seq, Tail, Uid};

use super::command::{Change, PairRights};
use super::dedupe::Window;

/// What a machine starts from: read from the log first, then from the directory.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The log's tail.
    pub tail: Tail,
    /// All membership rows (groups and rooms).
    pub members: Vec<(Uid, Membership)>,
    /// Relations (single chats).
    pub rights: Option<PairRights>,
    /// Committed changes above the tail's version, without a gap: applied before anything else.
    pub changes: Vec<Change>,
    /// The directory's version (groups and rooms); 0 if it never heard of the conversation.
    pub directory_version: u64,
}

/// State of one conversation: what the log holds, plus the batch that is being decided or appended.
#[derive(Debug)]
pub struct State {
    pub(crate) key: ConversationKey,
    pub(crate) head_seq: Seq,
    pub(crate) head_ctime: Millis,
    pub(crate) cum_unread: u64,
    pub(crate) meta: Meta,
    pub(crate) members: BTreeMap<Uid, Membership>,
    pub(crate) rights: Option<PairRights>,
    pub(crate) window: Window,
    /// The log has applied a version that the directory does not know: it was restored from an older state.
    pub(crate) directory_behind: bool,
}

impl State {
    pub(crate) fn empty(key: ConversationKey) -> Self {
        Self::load(key, Loaded::default(), 0)
    }

    pub(crate) fn load(key: ConversationKey, loaded: Loaded, window: usize) -> Self {
        let tail = loaded.tail;
        let has_members = matches!(key.kind(), ConversationKind::Group | ConversationKind::Room);
        Self {
            key,
            head_seq: tail.head_seq,
            head_ctime: tail.head_ctime,
            cum_unread: tail.cum_unread,
            meta: tail.meta,
            members: loaded.members.into_iter().collect(),
            rights: loaded.rights,
            window: Window::load(window, tail.recent, tail.recent_from),
            directory_behind: has_members && loaded.directory_version < tail.meta.member_version,
        }
    }

    /// Seq of the newest entry.
    #[must_use]
    pub fn head_seq(&self) -> Seq {
        self.head_seq
    }

    /// Version of the membership that decides now.
    #[must_use]
    pub fn member_version(&self) -> u64 {
        self.meta.member_version
    }

    /// A user's membership row.
    #[must_use]
    pub fn member(&self, uid: Uid) -> Option<&Membership> {
        self.members.get(&uid)
    }

    /// Whether the log is ahead of the directory, so that nothing may be decided.
    #[must_use]
    pub fn directory_is_behind(&self) -> bool {
        self.directory_behind
    }

    pub(crate) fn current_member(&self, uid: Uid) -> Option<&Membership> {
        self.members.get(&uid).filter(|m| m.is_current())
    }
}
