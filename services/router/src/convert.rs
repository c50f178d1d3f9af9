//! Between the wire of the services and the domain's types. Everything that comes in is checked here, once.

use bytes::Bytes;
use mynah_domain::conversation::{Change, PostItem, Refusal, SendItem};
use mynah_ports::bus::FanoutRecord;
use mynah_ports::message_log::Logged;
use mynah_proto::device::entry::Kind;
use mynah_proto::gateway::Record;
use mynah_proto::{Failure, device, router};
use mynah_types::{Cmid, ConversationKey, Entry, EntryKind, Reason, Role, Uid};
use prost::Message as _;

/// A `conv_id`; one that is none names nothing that anybody may see.
pub(crate) fn key(conv_id: &str) -> Result<ConversationKey, Failure> {
    conv_id.parse().map_err(|_| Failure::new(Reason::ConversationNotFound, "no such conversation"))
}

pub(crate) fn send_item(item: router::SendItem) -> Result<SendItem, Failure> {
    Ok(SendItem {
        cmid: Cmid::parse(&item.cmid).map_err(|e| Failure::invalid(e.what, e.why))?,
        content_hash: item.content_hash,
        payload: item.payload,
        no_offline: item.no_offline,
        unread_delta: item.unread_delta,
        mentions: item.at_uids.into_iter().map(Uid).collect(),
        mention_all: item.at_all,
        sensitive: item.sensitive,
    })
}

pub(crate) fn post_item(item: router::PostItem) -> Result<PostItem, Failure> {
    let id = Cmid::parse(&item.id).map_err(|e| Failure::invalid("id", e.why))?;
    Ok(PostItem { id, payload: item.payload })
}

pub(crate) fn change(change: router::Change) -> Change {
    let members = |list: Vec<router::Member>| list.into_iter().map(|m| (Uid(m.uid), role(m.role), m.silenced)).collect();
    Change {
        version: change.version,
        joined: members(change.joined),
        left: change.left.into_iter().map(Uid).collect(),
        changed: members(change.changed),
        dissolved: change.dissolved,
        payload: change.payload,
        actor: Uid(change.actor_uid),
    }
}

fn role(number: u32) -> Role {
    match number {
        2 => Role::Owner,
        1 => Role::Keeper,
        _ => Role::Member,
    }
}

pub(crate) fn failure(refusal: Refusal) -> Failure {
    let mut failure = Failure::new(refusal.reason, message(refusal.reason));
    if let Some(first) = refusal.first {
        failure.first_msg_id = first.msg_id.0;
        failure.first_seq = first.seq;
    }
    failure
}

fn message(reason: Reason) -> &'static str {
    match reason {
        Reason::CmidConflict => "this client message id was used for other content",
        Reason::SenderNotMember => "the sender is not in the group",
        Reason::Blacklisted => "the receiver does not take messages of the sender",
        Reason::SensitiveWord => "the message contains sensitive word",
        Reason::Silenced => "the sender is silenced in the group",
        Reason::SenderNotInRoom => "the sender is not in the chatroom",
        Reason::RoomMuted => "the sender is muted in the chatroom",
        Reason::NotInNamedGroup => "the user is not in the group",
        Reason::GroupNotFound => "no such group",
        Reason::RoomNotFound => "no such chatroom",
        Reason::UserNotFound => "no such user",
        Reason::RetractNotFound => "request message not exist",
        Reason::RetractNotSender => "the message is another's",
        Reason::RetractedBefore => "the message was retracted before",
        Reason::RetractTooLate => "the message is too old to be retracted",
        Reason::ConversationNotFound => "no such conversation",
        Reason::Overloaded => "too much waits here: try again",
        Reason::Unavailable | Reason::NotOwner => "not ready: try again",
        Reason::Timeout => "no outcome known in time: try again with the same ids",
        _ => "refused",
    }
}

/// An entry for a reader. What was taken back keeps its place and loses its content.
pub(crate) fn log_entry(key: ConversationKey, logged: Logged) -> router::LogEntry {
    let payload = if logged.retracted { without_content(&logged.entry.payload) } else { logged.entry.payload.clone() };
    router::LogEntry { payload, retracted: logged.retracted, ..header(key, &logged.entry) }
}

fn without_content(payload: &Bytes) -> Bytes {
    let Ok(mut entry) = device::Entry::decode(payload.clone()) else { return Bytes::new() };
    if let Some(Kind::Message(message)) = &mut entry.kind {
        *message = device::Message { msg_type: std::mem::take(&mut message.msg_type), ..device::Message::default() };
    }
    entry.encode_to_vec().into()
}

fn header(key: ConversationKey, entry: &Entry) -> router::LogEntry {
    let (kind, no_offline) = match entry.kind {
        EntryKind::Message { no_offline, .. } => (1, no_offline),
        EntryKind::Event => (2, false),
        EntryKind::Retract { .. } => (3, false),
    };
    router::LogEntry {
        conv_id: key.to_string(),
        seq: entry.seq,
        msg_id: entry.msg_id.0,
        ctime_ms: entry.ctime,
        sender_uid: entry.sender.0,
        cmid: entry.cmid.as_ref().map(|c| c.as_str().to_owned()).unwrap_or_default(),
        member_version: entry.member_version,
        cum_unread: entry.cum_unread,
        no_offline,
        kind,
        ..router::LogEntry::default()
    }
}

/// A live record for a gateway.
pub(crate) fn fanout_record(record: FanoutRecord) -> Record {
    let uids = |list: Vec<Uid>| list.into_iter().map(|uid| uid.0).collect();
    let entry = router::LogEntry {
        payload: record.entry.payload.clone(),
        added_uids: uids(record.change.added),
        removed_uids: uids(record.change.removed),
        outside_uids: uids(record.change.outside),
        dissolved: record.change.dissolved,
        ..header(record.key, &record.entry)
    };
    let traceparent = record.traceparent.map(String::from).unwrap_or_default();
    Record { entry: Some(entry), origin_conn: record.origin_conn, traceparent }
}
