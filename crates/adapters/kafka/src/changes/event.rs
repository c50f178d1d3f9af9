//! A change as Kafka carries it: the subject as key, protobuf of `mynah.directory.v1.ChangeEvent` as value, the trace as header.

use mynah_ports::changes::{Change, Subject};
use mynah_proto::directory::ChangeEvent;
use mynah_proto::directory::change_event::Subject as WireSubject;
use mynah_types::{AppId, Uid};
use prost::Message as _;

use crate::record::{Encoded, is_traceparent, trace};

pub(super) fn encode(change: Change) -> Encoded {
    let Change { subject, version, traceparent } = change;
    let (letter, id, subject) = match subject {
        Subject::App(app) => (b'a', app.0, Some(WireSubject::AppId(app.0))),
        Subject::User(uid) => (b'u', uid.0, Some(WireSubject::Uid(uid.0))),
        Subject::Group(gid) => (b'g', gid, Some(WireSubject::Gid(gid))),
        Subject::Room(room) => (b'r', room, Some(WireSubject::RoomId(room))),
        Subject::Everything => (b'e', 0, None),
    };
    let key = std::iter::once(letter).chain(id.to_be_bytes()).collect();
    let value = ChangeEvent { version, everything: subject.is_none(), subject }.encode_to_vec();
    Encoded { key, value, traceparent: traceparent.filter(|text| is_traceparent(text)) }
}

/// None for what [`encode`] does not make.
pub(super) fn decode(value: &[u8], traceparent: Option<&[u8]>) -> Option<Change> {
    let event = ChangeEvent::decode(value).ok()?;
    let subject = match event.subject {
        Some(WireSubject::AppId(app)) => Subject::App(AppId(app)),
        Some(WireSubject::Uid(uid)) => Subject::User(Uid(uid)),
        Some(WireSubject::Gid(gid)) => Subject::Group(gid),
        Some(WireSubject::RoomId(room)) => Subject::Room(room),
        None if event.everything => Subject::Everything,
        None => return None,
    };
    Some(Change { subject, version: event.version, traceparent: trace(traceparent) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_change_is_none() {
        for bytes in [b"".as_slice(), b"\xff\xff", b"hello"] {
            assert_eq!(decode(bytes, None), None);
        }
    }

    #[test]
    fn subjects_of_different_kinds_have_different_keys() {
        let key = |subject| encode(Change { subject, version: 0, traceparent: None }).key;
        let keys =
            [Subject::App(AppId(1)), Subject::User(Uid(1)), Subject::Group(1), Subject::Room(1), Subject::Everything].map(key);
        assert_eq!(std::collections::BTreeSet::from(keys).len(), 5);
    }
}
