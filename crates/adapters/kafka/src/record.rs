//! A record as Kafka carries it: the conversation as key, protobuf of `mynah.router.v1.FanoutRecord` as value, the trace as header.

use mynah_ports::bus::FanoutRecord;
use mynah_proto::router;
use mynah_types::{Cmid, ConversationKey, Entry, EntryKind, MemberChange, MsgId, Uid};
use prost::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

/// The header of the W3C trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";

const MESSAGE: u32 = 1;
const EVENT: u32 = 2;
const RETRACT: u32 = 3;

/// What Kafka is given of a record. Whatever has one key stays in order.
pub(crate) struct Encoded {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) traceparent: Option<Box<str>>,
}

pub(crate) fn encode(record: FanoutRecord) -> Encoded {
    let FanoutRecord { key, entry, change, origin_conn, traceparent } = record;
    let uids = |list: Vec<Uid>| list.into_iter().map(|uid| uid.0).collect();
    let mut wire = router::FanoutRecord { origin_conn, content_hash: entry.content_hash, ..router::FanoutRecord::default() };
    let mut log_entry = router::LogEntry {
        conv_id: key.to_string(),
        seq: entry.seq,
        msg_id: entry.msg_id.0,
        ctime_ms: entry.ctime,
        sender_uid: entry.sender.0,
        cmid: entry.cmid.map(|cmid| cmid.as_str().to_owned()).unwrap_or_default(),
        member_version: entry.member_version,
        cum_unread: entry.cum_unread,
        payload: entry.payload,
        added_uids: uids(change.added),
        removed_uids: uids(change.removed),
        outside_uids: uids(change.outside),
        dissolved: change.dissolved,
        ..router::LogEntry::default()
    };
    log_entry.kind = match entry.kind {
        EntryKind::Message { unread_delta, no_offline } => {
            wire.unread_delta = unread_delta;
            log_entry.no_offline = no_offline;
            MESSAGE
        }
        EntryKind::Event => EVENT,
        EntryKind::Retract { msg_id, seq } => {
            wire.target_msg_id = msg_id.0;
            wire.target_seq = seq;
            RETRACT
        }
    };
    wire.entry = Some(log_entry);
    Encoded {
        key: key.to_bytes().to_vec(),
        value: wire.encode_to_vec(),
        traceparent: traceparent.filter(|text| is_traceparent(text)),
    }
}

/// None for what [`encode`] does not make.
pub(crate) fn decode(value: &[u8], traceparent: Option<&[u8]>) -> Option<FanoutRecord> {
    let wire = router::FanoutRecord::decode(value).ok()?;
    let log_entry = wire.entry?;
    let key: ConversationKey = log_entry.conv_id.parse().ok()?;
    let kind = match log_entry.kind {
        MESSAGE => EntryKind::Message { unread_delta: wire.unread_delta, no_offline: log_entry.no_offline },
        EVENT => EntryKind::Event,
        RETRACT => EntryKind::Retract { msg_id: MsgId(wire.target_msg_id), seq: wire.target_seq },
        _ => return None,
    };
    let cmid = match log_entry.cmid.as_str() {
        "" => None,
        text => Some(Cmid::parse(text).ok()?),
    };
    let entry = Entry {
        seq: log_entry.seq,
        msg_id: MsgId(log_entry.msg_id),
        ctime: log_entry.ctime_ms,
        sender: Uid(log_entry.sender_uid),
        cmid,
        content_hash: wire.content_hash,
        member_version: log_entry.member_version,
        cum_unread: log_entry.cum_unread,
        kind,
        payload: log_entry.payload,
    };
    let uids = |list: Vec<u64>| list.into_iter().map(Uid).collect();
    let change = MemberChange {
        added: uids(log_entry.added_uids),
        removed: uids(log_entry.removed_uids),
        outside: uids(log_entry.outside_uids),
        dissolved: log_entry.dissolved,
    };
    Some(FanoutRecord { key, entry, change, origin_conn: wire.origin_conn, traceparent: trace(traceparent) })
}

/// The trace header of a message, as bytes.
pub(crate) fn header<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a [u8]> {
    message.headers()?.iter().find(|header| header.key == TRACEPARENT)?.value
}

/// The trace of a record as it came, if it is one.
pub(crate) fn trace(header: Option<&[u8]>) -> Option<Box<str>> {
    header.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| is_traceparent(text)).map(Into::into)
}

/// `version-trace-parent-flags` in hexadecimal digits. Anything else is no trace and goes no further.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([2, 32, 16, 2]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_ports::contract::bus::record;

    fn there_and_back(record: FanoutRecord) -> FanoutRecord {
        let encoded = encode(record);
        decode(&encoded.value, encoded.traceparent.as_deref().map(str::as_bytes)).unwrap()
    }

    #[test]
    fn every_kind_arrives_as_it_was() {
        let kinds = [
            EntryKind::Message { unread_delta: 3, no_offline: false },
            EntryKind::Message { unread_delta: 0, no_offline: true },
            EntryKind::Event,
            EntryKind::Retract { msg_id: MsgId(77), seq: 8 },
        ];
        for kind in kinds {
            let mut sent = record(1, 9);
            sent.entry.kind = kind;
            sent.entry.cmid = Some(Cmid::parse("c-1").unwrap());
            let arrived = there_and_back(sent.clone());
            assert_eq!((arrived.key, arrived.entry, arrived.change), (sent.key, sent.entry, sent.change));
            assert_eq!((arrived.origin_conn, arrived.traceparent), (sent.origin_conn, sent.traceparent));
        }
    }

    #[test]
    fn what_is_no_trace_goes_no_further() {
        let mut sent = record(1, 1);
        sent.traceparent = Some("00-xyz".into());
        assert_eq!(there_and_back(sent).traceparent, None);
        let value = encode(record(1, 1)).value;
        assert_eq!(decode(&value, Some(b"00-\xff")).unwrap().traceparent, None);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bytes in [b"".as_slice(), b"\xff\xff", b"hello"] {
            assert!(decode(bytes, None).is_none());
        }
        let wire = router::FanoutRecord { entry: Some(router::LogEntry::default()), ..router::FanoutRecord::default() };
        assert!(decode(&wire.encode_to_vec(), None).is_none());
    }
}
