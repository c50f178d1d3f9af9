//! Values of the store: small protobuf messages, so that a field can be added without a rewrite.

use bytes::Bytes;
use mynah_ports::message_log::Error;
use mynah_types::{
    Cmid, ConversationKey, Entry, EntryKind, FirstAnswer, Membership, Meta, MsgId, OwnerToken, Progress, Role, Seq, Uid,
};
use prost::Message;

use crate::packed;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredEntry {
    #[prost(uint64, tag = "1")]
    msg_id: u64,
    #[prost(uint64, tag = "2")]
    ctime: u64,
    #[prost(uint64, tag = "3")]
    sender: u64,
    #[prost(string, tag = "4")]
    cmid: String,
    #[prost(fixed64, tag = "5")]
    content_hash: u64,
    #[prost(uint64, tag = "6")]
    member_version: u64,
    #[prost(uint64, tag = "7")]
    cum_unread: u64,
    /// 1 message, 2 event, 3 retraction.
    #[prost(uint32, tag = "8")]
    kind: u32,
    #[prost(uint32, tag = "9")]
    unread_delta: u32,
    #[prost(bool, tag = "10")]
    no_offline: bool,
    #[prost(uint64, tag = "11")]
    target_id: u64,
    #[prost(uint64, tag = "12")]
    target_seq: u64,
    #[prost(bytes = "bytes", tag = "13")]
    payload: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredSend {
    #[prost(uint64, tag = "1")]
    pub(crate) seq: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) msg_id: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) ctime: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) content_hash: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredMember {
    #[prost(uint64, tag = "1")]
    from_version: u64,
    #[prost(uint64, tag = "2")]
    from_seq: u64,
    #[prost(uint64, optional, tag = "3")]
    until_seq: Option<u64>,
    #[prost(uint32, tag = "4")]
    role: u32,
    #[prost(bool, tag = "5")]
    silenced: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredMeta {
    #[prost(uint64, tag = "1")]
    member_version: u64,
    #[prost(bool, tag = "2")]
    dissolved: bool,
    #[prost(uint64, tag = "3")]
    at_all_seq: u64,
    #[prost(uint64, tag = "4")]
    min_seq: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredShard {
    #[prost(uint64, tag = "1")]
    pub(crate) epoch: u64,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) token: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(crate) delivered: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) published: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredFormat {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) shards: u32,
    #[prost(string, tag = "3")]
    pub(crate) log_epoch: String,
}

/// Reads a value; one that does not read is damage.
pub(crate) fn decode<M: Message + Default>(value: &[u8]) -> Result<M, Error> {
    M::decode(value).map_err(|e| Error::Damaged(format!("a stored value does not read: {e}")))
}

pub(crate) fn store_entry(entry: &Entry) -> Vec<u8> {
    let mut stored = StoredEntry {
        msg_id: entry.msg_id.0,
        ctime: entry.ctime,
        sender: entry.sender.0,
        cmid: entry.cmid.as_ref().map(|c| c.as_str().to_owned()).unwrap_or_default(),
        content_hash: entry.content_hash,
        member_version: entry.member_version,
        cum_unread: entry.cum_unread,
        payload: entry.payload.clone(),
        ..StoredEntry::default()
    };
    match entry.kind {
        EntryKind::Message { unread_delta, no_offline } => {
            (stored.kind, stored.unread_delta, stored.no_offline) = (1, unread_delta, no_offline);
        }
        EntryKind::Event => stored.kind = 2,
        EntryKind::Retract { msg_id, seq } => {
            (stored.kind, stored.target_id, stored.target_seq) = (3, msg_id.0, seq);
        }
    }
    stored.encode_to_vec()
}

pub(crate) fn read_entry(seq: Seq, value: &[u8]) -> Result<Entry, Error> {
    let stored: StoredEntry = decode(value)?;
    let kind = match stored.kind {
        1 => EntryKind::Message { unread_delta: stored.unread_delta, no_offline: stored.no_offline },
        2 => EntryKind::Event,
        3 => EntryKind::Retract { msg_id: MsgId(stored.target_id), seq: stored.target_seq },
        other => return Err(Error::Damaged(format!("an entry of kind {other}"))),
    };
    let cmid = match stored.cmid.as_str() {
        "" => None,
        text => Some(Cmid::parse(text).map_err(|e| Error::Damaged(e.to_string()))?),
    };
    Ok(Entry {
        seq,
        msg_id: MsgId(stored.msg_id),
        ctime: stored.ctime,
        sender: Uid(stored.sender),
        cmid,
        content_hash: stored.content_hash,
        member_version: stored.member_version,
        cum_unread: stored.cum_unread,
        kind,
        payload: stored.payload,
    })
}

pub(crate) fn store_send(entry: &Entry) -> Vec<u8> {
    let (seq, msg_id, ctime, content_hash) = (entry.seq, entry.msg_id.0, entry.ctime, entry.content_hash);
    StoredSend { seq, msg_id, ctime, content_hash }.encode_to_vec()
}

pub(crate) fn read_send(value: &[u8]) -> Result<FirstAnswer, Error> {
    let s: StoredSend = decode(value)?;
    Ok(FirstAnswer { seq: s.seq, msg_id: MsgId(s.msg_id), ctime: s.ctime, content_hash: s.content_hash })
}

pub(crate) fn store_member(member: &Membership) -> Vec<u8> {
    let role = match member.role {
        Role::Member => 0,
        Role::Keeper => 1,
        Role::Owner => 2,
    };
    StoredMember {
        from_version: member.from_version,
        from_seq: member.from_seq,
        until_seq: member.until_seq,
        role,
        silenced: member.silenced,
    }
    .encode_to_vec()
}

pub(crate) fn read_member(value: &[u8]) -> Result<Membership, Error> {
    let s: StoredMember = decode(value)?;
    let role = match s.role {
        2 => Role::Owner,
        1 => Role::Keeper,
        _ => Role::Member,
    };
    Ok(Membership { from_version: s.from_version, from_seq: s.from_seq, until_seq: s.until_seq, role, silenced: s.silenced })
}

pub(crate) fn store_meta(meta: &Meta) -> Vec<u8> {
    let Meta { member_version, dissolved, at_all_seq, min_seq } = *meta;
    StoredMeta { member_version, dissolved, at_all_seq, min_seq }.encode_to_vec()
}

pub(crate) fn read_meta(value: &[u8]) -> Result<Meta, Error> {
    let s: StoredMeta = decode(value)?;
    Ok(Meta { member_version: s.member_version, dissolved: s.dissolved, at_all_seq: s.at_all_seq, min_seq: s.min_seq })
}

pub(crate) fn store_shard(epoch: u64, token: OwnerToken, progress: Progress) -> Vec<u8> {
    StoredShard { epoch, token: token.0.to_be_bytes().to_vec(), delivered: progress.delivered.0, published: progress.published.0 }
        .encode_to_vec()
}

pub(crate) fn read_location(value: &[u8]) -> Result<(ConversationKey, Seq), Error> {
    packed::read_place(value).ok_or_else(|| Error::Damaged("a message's place does not read".into()))
}
