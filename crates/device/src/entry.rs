//! The entry that devices see: the edge's payload, with the log's header filled in.

use mynah_proto::device;
use mynah_proto::router::LogEntry;
use prost::Message as _;

/// Makes the device's entry. A payload that does not read leaves a bare entry: it still has its place.
pub(crate) fn entry(log: &LogEntry) -> device::Entry {
    let mut entry = device::Entry::decode(log.payload.clone()).unwrap_or_default();
    entry.conv_id.clone_from(&log.conv_id);
    entry.cmid.clone_from(&log.cmid);
    (entry.seq, entry.msg_id, entry.ctime_ms) = (log.seq, log.msg_id, log.ctime_ms);
    (entry.cum_unread, entry.retracted) = (log.cum_unread, log.retracted);
    entry
}
