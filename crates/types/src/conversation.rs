//! Conversation keys, their text form (`conv_id`), and the shard of each.

use std::fmt;

use crate::{InvalidId, Uid};

/// How many shards a deployment has. Stored at first start; a deployment with another number is refused.
pub const SHARDS: u16 = 256;

/// A shard: 0 .. [`SHARDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a conversation is between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationKind {
    /// Two users, or a user with himself.
    Single,
    /// The members of a group.
    Group,
    /// Those inside a chatroom.
    Room,
    /// One user's private stream of events.
    Feed,
}

/// Names one conversation in the deployment.
///
/// Its text form, the `conv_id` of the wire, is a kind letter and ids: `s.12.34` (smaller uid first), `g.10000001`, `r.10000002`, `f.12`.
/// The text is canonical: it parses to exactly one key and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationKey {
    /// Ordered pair: the first is not above the second. Both directions of a chat share it, across apps too.
    Single(Uid, Uid),
    /// A group by its gid.
    Group(u64),
    /// A chatroom by its id.
    Room(u64),
    /// A user's feed.
    Feed(Uid),
}

impl ConversationKey {
    /// The single chat of two users, in either order.
    #[must_use]
    pub fn single(a: Uid, b: Uid) -> Self {
        if a <= b { Self::Single(a, b) } else { Self::Single(b, a) }
    }

    /// The kind.
    #[must_use]
    pub fn kind(self) -> ConversationKind {
        match self {
            Self::Single(..) => ConversationKind::Single,
            Self::Group(_) => ConversationKind::Group,
            Self::Room(_) => ConversationKind::Room,
            Self::Feed(_) => ConversationKind::Feed,
        }
    }

    /// The other user of a single chat; himself for a chat with oneself; none if `uid` is not in it.
    #[must_use]
    pub fn peer_of(self, uid: Uid) -> Option<Uid> {
        match self {
            Self::Single(a, b) if a == uid => Some(b),
            Self::Single(a, b) if b == uid => Some(a),
            Self::Single(..) | Self::Group(_) | Self::Room(_) | Self::Feed(_) => None,
        }
    }

    /// The shard: FNV-1a (64 bits) over [`ConversationKey::to_bytes`], the two halves of the hash xored, modulo [`SHARDS`].
    /// Part of the storage format: it never changes.
    #[must_use]
    pub fn shard(self) -> ShardId {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.to_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let folded = (hash ^ (hash >> 32)) % u64::from(SHARDS);
        ShardId(u16::try_from(folded).unwrap_or(0))
    }

    /// Fixed-width, order-preserving storage form: kind letter, then two big-endian ids (the second 0 but for single chats).
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let (kind, a, b) = match self {
            Self::Single(a, b) => (b's', a.0, b.0),
            Self::Group(id) => (b'g', id, 0),
            Self::Room(id) => (b'r', id, 0),
            Self::Feed(uid) => (b'f', uid.0, 0),
        };
        let mut out = [0; 17];
        let (head, tail) = out.split_at_mut(1);
        head.copy_from_slice(&[kind]);
        let (first, second) = tail.split_at_mut(8);
        first.copy_from_slice(&a.to_be_bytes());
        second.copy_from_slice(&b.to_be_bytes());
        out
    }

    /// Reads the storage form back; none for anything that [`ConversationKey::to_bytes`] does not make.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (a, b) = rest.split_at_checked(8)?;
        let a = u64::from_be_bytes(a.try_into().ok()?);
        let b = u64::from_be_bytes(b.try_into().ok()?);
        match kind {
            b's' if a <= b => Some(Self::Single(Uid(a), Uid(b))),
            b'g' if b == 0 => Some(Self::Group(a)),
            b'r' if b == 0 => Some(Self::Room(a)),
            b'f' if b == 0 => Some(Self::Feed(Uid(a))),
            _ => None,
        }
    }
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(a, b) => write!(f, "s.{a}.{b}"),
            Self::Group(id) => write!(f, "g.{id}"),
            Self::Room(id) => write!(f, "r.{id}"),
            Self::Feed(uid) => write!(f, "f.{uid}"),
        }
    }
}

impl std::str::FromStr for ConversationKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bad = InvalidId { what: "conv_id", why: "is not a conversation id" };
        let mut parts = text.split('.');
        let kind = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|p| p.parse::<u64>().ok()).filter(|n| *n > 0);
        let key = match (kind, number()) {
            ("s", Some(a)) => number().map(|b| Self::Single(Uid(a), Uid(b))),
            ("g", Some(id)) => Some(Self::Group(id)),
            ("r", Some(id)) => Some(Self::Room(id)),
            ("f", Some(uid)) => Some(Self::Feed(Uid(uid))),
            _ => None,
        };
        // Only the canonical text names a conversation: "g.01" or "s.9.1" would be a second name of one thing.
        key.filter(|k| k.to_string() == text && Self::from_bytes(&k.to_bytes()) == Some(*k)).ok_or(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_round_trip() {
        let keys = [
            ConversationKey::single(Uid(9), Uid(2)),
            ConversationKey::single(Uid(3), Uid(3)),
            ConversationKey::Group(10_000_001),
            ConversationKey::Room(10_000_002),
            ConversationKey::Feed(Uid(7)),
        ];
        for key in keys {
            assert_eq!(key.to_string().parse::<ConversationKey>().unwrap(), key);
            assert_eq!(ConversationKey::from_bytes(&key.to_bytes()), Some(key));
        }
    }

    #[test]
    fn only_canonical_text_parses() {
        for bad in ["", "g", "g.", "g.01", "g.0", "s.9.1", "s.1", "g.1.2", "x.1", "g.+1", "s.1.2.3", "f.18446744073709551616"] {
            assert!(bad.parse::<ConversationKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shards_of_the_storage_format_never_change() {
        let of = |k: ConversationKey| k.shard().0;
        let golden = [
            of(ConversationKey::Group(10_000_001)),
            of(ConversationKey::single(Uid(1), Uid(2))),
            of(ConversationKey::Feed(Uid(1))),
        ];
        assert_eq!(golden, [193, 165, 184]);
        let used: std::collections::BTreeSet<_> = (0..10_000).map(|g| ConversationKey::Group(g).shard()).collect();
        assert_eq!(used.len(), usize::from(SHARDS));
    }
}
