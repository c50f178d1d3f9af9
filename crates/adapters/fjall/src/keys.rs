//! Keys of the store. Order of bytes is order of numbers.
//!
//! The rows that each message writes have keys of at most 20 bytes, as long as ids and seqs have three: the store keeps such a key beside its
//! place in the index, and finds its way without following a pointer for each comparison.

use sha2::{Digest as _, Sha256};

use crate::packed::{self, conversation, push};

use mynah_types::{Cmid, ConversationKey, MsgId, Seq, ShardId, Uid};

/// Row of the store itself: format version, number of shards, identity.
pub(crate) const FORMAT: &[u8] = b"f";
/// How many commits there were: the same batch raises it.
pub(crate) const COMMITS: &[u8] = b"!commits";

/// A user's mark in a conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    Read,
    Own,
    Deleted,
    AtMe,
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Where the entries of a conversation lie.
pub(crate) fn entries(key: ConversationKey) -> Vec<u8> {
    conversation(key)
}

pub(crate) fn entry(key: ConversationKey, seq: Seq) -> Vec<u8> {
    packed::place(key, seq)
}

/// The seq in an entry's key.
pub(crate) fn seq_of(row: &[u8]) -> Option<Seq> {
    packed::read_place(row).map(|(_, seq)| seq)
}

pub(crate) fn message(id: MsgId) -> Vec<u8> {
    join(&[&id.shard().0.to_be_bytes(), &id.0.to_be_bytes()])
}

pub(crate) fn messages_of(shard: ShardId) -> Vec<u8> {
    shard.0.to_be_bytes().to_vec()
}

/// A digest: senders choose their cmids, and two that met would be one message.
pub(crate) fn send(key: ConversationKey, sender: Uid, cmid: &Cmid) -> Vec<u8> {
    let digest = Sha256::new().chain_update(key.to_bytes()).chain_update(sender.0.to_be_bytes()).chain_update(cmid.as_str());
    digest.finalize().iter().take(16).copied().collect()
}

pub(crate) fn meta(key: ConversationKey) -> Vec<u8> {
    join(&[b"m", &key.to_bytes()])
}

pub(crate) fn members(key: ConversationKey) -> Vec<u8> {
    join(&[b"u", &key.to_bytes()])
}

pub(crate) fn member(key: ConversationKey, uid: Uid) -> Vec<u8> {
    join(&[b"u", &key.to_bytes(), &uid.0.to_be_bytes()])
}

pub(crate) fn mark(key: ConversationKey, uid: Uid, mark: Mark) -> Vec<u8> {
    let letter = match mark {
        Mark::Read => b"r",
        Mark::Own => b"o",
        Mark::Deleted => b"d",
        Mark::AtMe => b"a",
    };
    let mut row = vec![b'p'];
    row.extend(conversation(key));
    push(&mut row, uid.0);
    row.extend(letter);
    row
}

pub(crate) fn retracted(key: ConversationKey, seq: Seq) -> Vec<u8> {
    join(&[b"x", &key.to_bytes(), &seq.to_be_bytes()])
}

pub(crate) fn hidden_of(key: ConversationKey, uid: Uid) -> Vec<u8> {
    join(&[b"h", &key.to_bytes(), &uid.0.to_be_bytes()])
}

pub(crate) fn hidden(key: ConversationKey, uid: Uid, from: Seq) -> Vec<u8> {
    join(&[&hidden_of(key, uid), &from.to_be_bytes()])
}

pub(crate) fn listed(uid: Uid, key: ConversationKey) -> Vec<u8> {
    join(&[b"l", &uid.0.to_be_bytes(), &key.to_bytes()])
}

pub(crate) fn listed_of(uid: Uid) -> Vec<u8> {
    join(&[b"l", &uid.0.to_be_bytes()])
}

pub(crate) fn shard(shard: ShardId) -> Vec<u8> {
    join(&[b"s", &shard.0.to_be_bytes()])
}

/// The number that a key ends with.
pub(crate) fn tail_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [u64; 9] = [0, 1, 255, 256, 65_535, 65_536, 1 << 40, u64::MAX - 1, u64::MAX];

    #[test]
    fn keys_are_ordered_as_what_they_name() {
        let pairs = NUMBERS.iter().enumerate().flat_map(|(at, a)| NUMBERS.iter().skip(at).map(|b| (Uid(*a), Uid(*b))));
        let singles = pairs.map(|(a, b)| ConversationKey::Single(a, b));
        let groups = NUMBERS.map(ConversationKey::Group);
        let mut all: Vec<_> = groups.into_iter().chain(singles).flat_map(|key| NUMBERS.map(|seq| (key, seq))).collect();
        all.sort_unstable_by_key(|(key, seq)| (key.to_bytes(), *seq));
        let rows: Vec<_> = all.iter().map(|(key, seq)| entry(*key, *seq)).collect();
        assert!(rows.is_sorted());
        assert!(all.iter().zip(&rows).all(|((key, seq), row)| row.starts_with(&entries(*key)) && seq_of(row) == Some(*seq)));
    }

    #[test]
    fn what_each_message_writes_has_short_keys() {
        let key = ConversationKey::Single(Uid(0xff_ffff), Uid(0xff_ffff));
        let cmid = Cmid::parse(&"x".repeat(64)).unwrap();
        for row in
            [entry(key, 0xff_ffff), mark(key, Uid(0xff_ffff), Mark::Own), send(key, Uid(1), &cmid), message(MsgId(u64::MAX))]
        {
            assert!(row.len() <= 20, "{row:?}");
        }
    }

    #[test]
    fn what_is_no_key_does_not_read() {
        for row in [&b""[..], b"s", b"g\x01", b"g\x01\x01\x09", b"g\x01\x01\x01\x01\x01"] {
            assert_eq!(seq_of(row), None, "{row:?}");
        }
    }
}
