//! Catching up: pages of entries that prove what they cover.

use mynah_domain::visibility::{self, View};
use mynah_ports::message_log::{Logged, Span};
use mynah_proto::Failure;
use mynah_proto::router::{
    HistoryReply, HistoryRequest, LogEntry, RoomTailReply, RoomTailRequest, SyncItem, SyncRange, SyncReply, SyncRequest,
};
use mynah_types::{ConversationKey, ConversationKind, EntryKind, Millis, Reason, Seq, Uid};

use super::{heads, unreadable};
use crate::convert;
use crate::start::Router;

const MOST_RANGES: usize = 200;
const MOST_ENTRIES: usize = 200;
const MOST_BYTES: usize = 192 << 10;
const MOST_HISTORY: usize = 100;
const MOST_ROOM: usize = 50;
/// What an entry takes beside its payload, about.
const HEADER: usize = 160;

/// What is left of a reply's bounds.
struct Budget {
    entries: usize,
    bytes: usize,
}

pub(super) async fn sync(router: &Router, request: SyncRequest) -> Result<SyncReply, Failure> {
    if request.ranges.len() > MOST_RANGES {
        return Err(Failure::invalid("ranges", "at most 200"));
    }
    let bound = |asked: u32, most: usize| match usize::try_from(asked) {
        Ok(0) | Err(_) => most,
        Ok(asked) => asked.min(most),
    };
    let mut budget = Budget { entries: bound(request.max_entries, MOST_ENTRIES), bytes: bound(request.max_bytes, MOST_BYTES) };
    let mut items = Vec::with_capacity(request.ranges.len());
    let mut left_out = false;
    for range in request.ranges {
        if budget.entries == 0 || budget.bytes == 0 {
            left_out = true;
            break;
        }
        let item = one(router, Uid(request.uid), &range, request.latest, request.online_since_ms, &mut budget).await?;
        items.push(item);
    }
    let more = left_out || items.iter().any(|item| item.more);
    Ok(SyncReply { items, more })
}

async fn one(
    router: &Router,
    uid: Uid,
    range: &SyncRange,
    latest: bool,
    online_since: Millis,
    budget: &mut Budget,
) -> Result<SyncItem, Failure> {
    let unknown = || SyncItem {
        conv_id: range.conv_id.clone(),
        failure: Some(Failure::new(Reason::ConversationNotFound, "no such conversation")),
        ..SyncItem::default()
    };
    let Ok(key) = range.conv_id.parse::<ConversationKey>() else { return Ok(unknown()) };
    let tails = router.shared.log.heads(&[key]).await.map_err(unreadable)?;
    let head = tails.first().map_or(0, |tail| tail.head_seq);
    let member = heads::member(router, key, uid).await?;
    let Some(view) = visibility::view(key, uid, head, member.as_ref()) else { return Ok(unknown()) };
    let kept = heads::kept(router, key, tails.first()).await?;
    let view = View { from: view.from.max(kept), ..view };
    // A position that the log never reached: it was restored from an older state. Or one below what is kept. The device starts anew.
    let lost = range.after_seq < kept.saturating_sub(1);
    let reset = range.after_seq > head || lost;
    let after = if lost {
        kept - 1
    } else if reset {
        0
    } else {
        range.after_seq
    };
    let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
    let limit = if limit == 0 { budget.entries } else { limit.min(budget.entries) };
    let first = view.from.max(after + 1);
    let span = Span { from: first, to: view.to, limit, max_bytes: budget.bytes, newest: latest };
    let page = if first > view.to { Vec::new() } else { router.shared.log.entries(key, span).await.map_err(unreadable)? };
    let ends = page.first().zip(page.last()).map(|(first, last)| (first.entry.seq, last.entry.seq));
    let covered = visibility::cover(view, after, latest, limit, ends);
    let hidden = heads::hidden(router, key, uid).await?;
    let entries = shown(key, page, online_since, |seq| visibility::hides(&hidden, view, seq));
    budget.entries = budget.entries.saturating_sub(entries.len());
    budget.bytes = budget.bytes.saturating_sub(entries.iter().map(|e| e.payload.len() + HEADER).sum());
    Ok(SyncItem {
        conv_id: range.conv_id.clone(),
        entries,
        from_seq: covered.0,
        covered_to: covered.1,
        head_seq: view.to,
        min_seq: view.from,
        reset,
        more: covered.1 < view.to,
        failure: None,
    })
}

/// What the viewer gets of a page: all but messages that he hides, and those that were only for who was online when they were sent.
fn shown(key: ConversationKey, page: Vec<Logged>, online_since: Millis, hides: impl Fn(Seq) -> bool) -> Vec<LogEntry> {
    let shows = |logged: &Logged| match logged.entry.kind {
        EntryKind::Message { .. } if hides(logged.entry.seq) => false,
        EntryKind::Message { no_offline: true, .. } => online_since > 0 && logged.entry.ctime >= online_since,
        EntryKind::Message { .. } | EntryKind::Event | EntryKind::Retract { .. } => true,
    };
    page.into_iter().filter(shows).map(|logged| convert::log_entry(key, logged)).collect()
}

pub(super) async fn history(router: &Router, request: HistoryRequest) -> Result<HistoryReply, Failure> {
    let key = convert::key(&request.conv_id)?;
    let unknown = || Failure::new(Reason::ConversationNotFound, "no such conversation");
    let uid = Uid(request.uid);
    let tails = router.shared.log.heads(&[key]).await.map_err(unreadable)?;
    let head = tails.first().map_or(0, |tail| tail.head_seq);
    let view = if key.kind() == ConversationKind::Room {
        Some(View { from: 1, to: head }).filter(|_| request.in_room)
    } else {
        let member = heads::member(router, key, uid).await?;
        visibility::view(key, uid, head, member.as_ref())
    };
    let mut view = view.ok_or_else(unknown)?;
    view.from = view.from.max(heads::kept(router, key, tails.first()).await?);
    let limit = usize::try_from(request.limit).unwrap_or(MOST_HISTORY);
    let limit = if limit == 0 { MOST_HISTORY } else { limit.min(MOST_HISTORY) };
    let upward = request.after_seq > 0 && request.before_seq == 0;
    let from = view.from.max(request.after_seq.saturating_add(1));
    let to = if request.before_seq == 0 { view.to } else { view.to.min(request.before_seq - 1) };
    if from > to {
        return Ok(HistoryReply::default());
    }
    let span = Span { from, to, limit, max_bytes: MOST_BYTES, newest: !upward };
    let page = router.shared.log.entries(key, span).await.map_err(unreadable)?;
    let ends = page.first().zip(page.last()).map(|(a, b)| (a.entry.seq, b.entry.seq));
    let (from_seq, to_seq) = ends.unwrap_or((from, to));
    let more = if upward { to_seq < to } else { from_seq > from };
    let hidden = heads::hidden(router, key, uid).await?;
    let entries = shown(key, page, request.online_since_ms, |seq| visibility::hides(&hidden, view, seq));
    Ok(HistoryReply { entries, from_seq, to_seq, more })
}

/// The newest entries of a room; those after `last_seq`, if they are no more than asked for.
pub(super) async fn room_tail(router: &Router, request: RoomTailRequest) -> Result<RoomTailReply, Failure> {
    let key = ConversationKey::Room(request.room_id);
    let tails = router.shared.log.heads(&[key]).await.map_err(unreadable)?;
    let head_seq = tails.first().map_or(0, |tail| tail.head_seq);
    let limit = usize::try_from(request.limit).unwrap_or(MOST_ROOM).min(MOST_ROOM);
    let from = request.last_seq.saturating_add(1);
    let entries = if limit == 0 || from > head_seq {
        Vec::new()
    } else {
        let span = Span { from, to: head_seq, limit, max_bytes: MOST_BYTES, newest: true };
        router.shared.log.entries(key, span).await.map_err(unreadable)?
    };
    let member = router.shared.log.member(key, Uid(request.uid)).await.map_err(unreadable)?;
    let muted = member.is_some_and(|m| m.is_current() && m.silenced);
    Ok(RoomTailReply { head_seq, entries: shown(key, entries, 0, |_| false), muted })
}
