//! The `Gateway` service: deliveries to local subscribers, and putting devices out.

use std::sync::Arc;

use mynah_proto::device::{Deliver, Kicked, KickedBy, ReadChanged, server_frame};
use mynah_proto::gateway::gateway_server::Gateway;
use mynah_proto::gateway::{
    DeliverReply, DeliverRequest, KickReply, KickRequest, Missed, ReadChangedReply, ReadChangedRequest, Record, RefreshReply,
    RefreshRequest,
};
use mynah_proto::router::LogEntry;
use mynah_telemetry::Span;
use mynah_types::{ConversationKey, MemberChange, Uid};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::canary;
use crate::codec::Shared;
use crate::devices::{Devices, Inner};
use crate::entry::entry;
use crate::errors;
use crate::outbound::{Identity, Outbound, push};
use crate::rooms::{Message, Said};
use crate::traced;

/// What an entry takes beside its payload, about.
const ENTRY: usize = 200;
/// The kind of a message in a record.
const MESSAGE: u32 = 1;

/// Whether a kick is for this connection.
pub(crate) fn concerns(kick: &KickRequest, who: &Identity, conn: u64) -> bool {
    if kick.except_conn != 0 && kick.except_conn == conn {
        return false;
    }
    if kick.app_id != 0 {
        return who.app.0 == kick.app_id;
    }
    kick.uid == who.uid.0 && (kick.sessions.is_empty() || kick.sessions.contains(&who.session_id))
}

impl Inner {
    /// Hands one record to its local subscribers: the frame is made once a codec and shared.
    async fn deliver(&self, record: Record) {
        let mut span = traced::delivery(&record);
        let Some(log) = record.entry else { return };
        let Ok(key) = log.conv_id.parse::<ConversationKey>() else { return };
        if canary::carries(key) {
            self.canary.came.send_replace(log.cmid);
            return;
        }
        traced::lag(&log, self.deps.clock.now_ms());
        if let ConversationKey::Room(_) = key {
            return self.room_says(key, &log, record.origin_conn, &span);
        }
        let audience = self.audience(key, &log).await;
        span.note("devices", || audience.len());
        if audience.is_empty() {
            return;
        }
        let deliver = Deliver { entries: vec![entry(&log)] };
        let frame = Shared::new(push(server_frame::Body::Deliver(deliver)));
        let others = audience.iter().filter(|out| record.origin_conn == 0 || out.conn != record.origin_conn);
        for (place, out) in others.enumerate() {
            let context = span.context().filter(|_| place < traced::MOST_WRITES);
            out.push(&frame, key, log.seq, context);
        }
        metrics::counter!("mynah_device_deliveries_total").increment(audience.len() as u64);
    }

    /// A room's message waits in the room, so that nothing behind it waits for the room.
    fn room_says(&self, key: ConversationKey, log: &LogEntry, origin_conn: u64, span: &Span) {
        let Some(room) = self.hub.room(key) else { return };
        let deliver = Deliver { entries: vec![entry(log)] };
        let frame = Shared::new(push(server_frame::Body::Deliver(deliver)));
        let (seq, bytes, may_skip) = (log.seq, log.payload.len() + ENTRY, log.kind == MESSAGE);
        let what = Message { frame, origin_conn, trace: span.context() };
        room.say(Said { seq, bytes, since: Instant::now(), may_skip, what });
    }

    /// Puts connections out. Answers how many.
    pub(crate) fn kick(&self, kick: &KickRequest) -> u32 {
        // Noted before the look: a login that registers later finds it.
        self.hub.note_kick(kick);
        self.targets.forget_user(Uid(kick.uid));
        let (event_type, extra, close) = errors::kicked(&kick.reason);
        let by = KickedBy { platform: kick.by_platform.clone(), device_id: kick.by_device_id.clone(), time_ms: kick.time_ms };
        let body = Kicked { event_type, extra, reason: kick.reason.clone(), by: Some(by) };
        let frame = Shared::new(push(server_frame::Body::Kicked(body)));
        let found = if kick.app_id == 0 { self.hub.connections_of(Uid(kick.uid)) } else { self.hub.all() };
        let mut kicked = 0;
        for out in found {
            if out.identity().is_some_and(|who| concerns(kick, &who, out.conn)) && !out.is_closing() {
                out.push_beside(&frame);
                out.close(close);
                kicked += 1;
            }
        }
        metrics::counter!("mynah_device_kicks_total").increment(u64::from(kicked));
        kicked
    }

    /// Messages of these places exist that are not delivered: who would have got them hears where the conversation stands.
    fn missed(&self, missed: &Missed) {
        let Ok(key) = missed.conv_id.parse::<ConversationKey>() else { return };
        let seq = missed.seq;
        let audience = match key {
            ConversationKey::Room(_) => {
                if let Some(room) = self.hub.room(key) {
                    // An older router does not say which was the first.
                    room.missed(if missed.from_seq == 0 { (seq, seq) } else { (missed.from_seq, seq) });
                }
                return;
            }
            ConversationKey::Single(a, b) => [self.hub.connections_of(a), self.hub.connections_of(b)].concat(),
            ConversationKey::Feed(uid) => self.hub.connections_of(uid),
            ConversationKey::Group(_) => self.hub.members_here(key),
        };
        audience.iter().for_each(|out| out.missed(key, seq));
    }

    async fn audience(&self, key: ConversationKey, log: &LogEntry) -> Vec<Arc<Outbound>> {
        match key {
            ConversationKey::Single(a, b) => {
                let mut audience = self.hub.connections_of(a);
                if b != a {
                    audience.extend(self.hub.connections_of(b));
                }
                audience
            }
            ConversationKey::Feed(uid) => self.hub.connections_of(uid),
            // Rooms have a way of their own.
            ConversationKey::Room(_) => Vec::new(),
            ConversationKey::Group(_) if log.kind == MESSAGE => {
                // Before the look at who hears: what is read then counts.
                let is_certain = !self.resyncs.is_under_way();
                certain(self.hub.message_audience(key, log.member_version), is_certain, key, log.seq, |_| false)
            }
            ConversationKey::Group(_) => {
                let uids = |ids: &[u64]| ids.iter().map(|uid| Uid(*uid)).collect();
                let change = MemberChange {
                    added: uids(&log.added_uids),
                    removed: uids(&log.removed_uids),
                    outside: uids(&log.outside_uids),
                    dissolved: log.dissolved,
                };
                let is_certain = !self.resyncs.is_under_way();
                let (audience, begins) = self.hub.group_audience(key, log.member_version, &change);
                if begins {
                    self.align_audiences([key]).await;
                }
                // Those whom it lets in or puts out are certain by itself.
                certain(audience, is_certain, key, log.seq, |uid| change.added.contains(&uid) || change.removed.contains(&uid))
            }
        }
    }
}

/// Who is pushed an entry of a group. While it is not certain who is in it, the others hear where it stands: whoever is a member still finds
/// the entry, and nobody else.
fn certain(
    audience: Vec<Arc<Outbound>>,
    is_certain: bool,
    key: ConversationKey,
    seq: u64,
    is_meant: impl Fn(Uid) -> bool,
) -> Vec<Arc<Outbound>> {
    if is_certain {
        return audience;
    }
    let (meant, others): (Vec<_>, Vec<_>) =
        audience.into_iter().partition(|out| out.identity().is_some_and(|who| is_meant(who.uid)));
    others.iter().for_each(|out| out.missed(key, seq));
    meant
}

#[async_trait::async_trait]
impl Gateway for Devices {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverReply>, Status> {
        let DeliverRequest { records, missed, resync } = request.into_inner();
        for record in records {
            self.0.deliver(record).await;
        }
        for missed in missed {
            self.0.missed(&missed);
        }
        if resync {
            self.0.resync();
        }
        Ok(Response::new(DeliverReply {}))
    }

    async fn read_changed(&self, request: Request<ReadChangedRequest>) -> Result<Response<ReadChangedReply>, Status> {
        let changed = request.into_inner();
        let Ok(key) = changed.conv_id.parse() else { return Ok(Response::new(ReadChangedReply {})) };
        let body = ReadChanged { conv_id: changed.conv_id, read_seq: changed.read_seq, unread: changed.unread };
        let others = self.0.hub.connections_of(Uid(changed.uid));
        for out in others.into_iter().filter(|out| out.conn != changed.origin_conn) {
            out.read_changed(key, body.clone());
        }
        Ok(Response::new(ReadChangedReply {}))
    }

    async fn kick(&self, request: Request<KickRequest>) -> Result<Response<KickReply>, Status> {
        let kicked = self.0.kick(&request.into_inner());
        Ok(Response::new(KickReply { kicked }))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<RefreshReply>, Status> {
        let RefreshRequest { uids, app_ids } = request.into_inner();
        for app_id in app_ids {
            self.0.deps.words.forget(app_id);
        }
        for uid in uids {
            self.0.refresh_groups(Uid(uid)).await?;
        }
        Ok(Response::new(RefreshReply {}))
    }
}
