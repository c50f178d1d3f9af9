//! Keys of the store. All numbers are big-endian, so that order of bytes is order of numbers.

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

pub(crate) fn entry(key: ConversationKey, seq: Seq) -> Vec<u8> {
    join(&[&key.to_bytes(), &seq.to_be_bytes()])
}

pub(crate) fn message(id: MsgId) -> Vec<u8> {
    join(&[&id.shard().0.to_be_bytes(), &id.0.to_be_bytes()])
}

pub(crate) fn messages_of(shard: ShardId) -> Vec<u8> {
    shard.0.to_be_bytes().to_vec()
}

pub(crate) fn send(key: ConversationKey, sender: Uid, cmid: &Cmid) -> Vec<u8> {
    join(&[&key.to_bytes(), &sender.0.to_be_bytes(), cmid.as_str().as_bytes()])
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
    join(&[b"p", &key.to_bytes(), &uid.0.to_be_bytes(), letter])
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
