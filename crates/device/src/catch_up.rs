//! Catching up: sync, history, read positions, retraction.

use mynah_proto::Failure;
use mynah_proto::device::{
    self, Covered, Entry, History, HistoryPage, Read, Retract, Retraction, ServerFrame, Sync, SyncPage, entry, server_frame,
};
use mynah_proto::router::{HistoryRequest, LocateRequest, ReadRequest, RetractRequest, SyncItem, SyncRange, SyncRequest};
use mynah_types::ConversationKey;
use prost::Message as _;

use crate::connection::{Session, done, ok};
use crate::entry::entry as device_entry;
use crate::errors;

/// Bytes of a conversation's id.
const MOST_CONV_ID: usize = 300;

impl Session {
    pub(crate) fn uid(&self) -> u64 {
        self.user.as_ref().map_or(0, |user| user.uid)
    }

    pub(crate) async fn sync(&mut self, id: u32, sync: Sync) -> ServerFrame {
        if !matches!(sync.mode.as_str(), "" | "forward" | "latest") {
            return errors::refuse(id, errors::INVALID, "sync.mode", "must be forward or latest");
        }
        if let Some(at) = sync.ranges.iter().position(|range| range.conv_id.len() > MOST_CONV_ID) {
            return errors::refuse(id, errors::INVALID, &format!("sync.ranges[{at}].conv_id"), "must be at most 300 bytes");
        }
        let range = |r: device::Range| SyncRange { conv_id: r.conv_id, after_seq: r.after_seq, limit: r.limit };
        let request = SyncRequest {
            uid: self.uid(),
            ranges: sync.ranges.into_iter().map(range).collect(),
            latest: sync.mode == "latest",
            max_entries: sync.max_entries,
            max_bytes: sync.max_bytes,
            online_since_ms: self.online_since,
        };
        match self.inner.deps.router.sync(request).await {
            Ok(reply) => {
                let items = reply.items.into_iter().map(covered).collect();
                ok(id, server_frame::Body::SyncPage(SyncPage { items, more: reply.more }))
            }
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn history(&mut self, id: u32, history: History) -> ServerFrame {
        let in_room = history.conv_id.parse().is_ok_and(|key: ConversationKey| self.rooms.contains(&key));
        let request = HistoryRequest {
            uid: self.uid(),
            conv_id: history.conv_id.clone(),
            before_seq: history.before_seq,
            after_seq: history.after_seq,
            limit: history.limit,
            in_room,
            online_since_ms: self.online_since,
        };
        match self.inner.deps.router.history(request).await {
            Ok(reply) => {
                let page = HistoryPage {
                    conv_id: history.conv_id,
                    entries: reply.entries.iter().map(device_entry).collect(),
                    from_seq: reply.from_seq,
                    to_seq: reply.to_seq,
                    more: reply.more,
                };
                ok(id, server_frame::Body::HistoryPage(page))
            }
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn read(&mut self, id: u32, read: Read) -> ServerFrame {
        let request = ReadRequest { conv_id: read.conv_id, uid: self.uid(), read_seq: read.read_seq, origin_conn: self.out.conn };
        match self.inner.deps.router.read(request).await {
            Ok(_) => done(id),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    pub(crate) async fn retract(&mut self, id: u32, retract: Retract) -> ServerFrame {
        match self.try_retract(retract).await {
            Ok(()) => done(id),
            Err(failure) => errors::frame(id, &failure),
        }
    }

    async fn try_retract(&self, retract: Retract) -> Result<(), Failure> {
        let router = &self.inner.deps.router;
        let found = router.locate(LocateRequest { msg_id: retract.msg_id }).await?;
        // A message of another conversation is as good as none: the actor says so.
        let payload = Entry {
            from: Some(self.party("")),
            kind: Some(entry::Kind::Retract(Retraction { msg_id: retract.msg_id, seq: found.seq })),
            ..Entry::default()
        };
        let request = RetractRequest {
            conv_id: retract.conv_id,
            actor_uid: self.uid(),
            msg_id: retract.msg_id,
            payload: payload.encode_to_vec().into(),
            origin_conn: 0,
            privileged: false,
        };
        router.retract(request).await.map(|_| ())
    }
}

fn covered(item: SyncItem) -> Covered {
    Covered {
        entries: item.entries.iter().map(device_entry).collect(),
        conv_id: item.conv_id,
        from_seq: item.from_seq,
        covered_to: item.covered_to,
        head_seq: item.head_seq,
        min_seq: item.min_seq,
        reset: item.reset,
        more: item.more,
        error: item.failure.as_ref().map(errors::error),
    }
}
