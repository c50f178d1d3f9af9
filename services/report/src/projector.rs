//! From the log into the index: shard by shard, in the order of ids, each message once.

use std::collections::HashMap;
use std::sync::Arc;

use mynah_ports::report_index::{Place, Recorded, Sort};
use mynah_proto::Failure;
use mynah_proto::device::{Entry as Payload, entry};
use mynah_types::{AppKey, ConversationKey, ConversationKind, Entry, EntryKind, MsgId, Reason, SHARDS, ShardId};
use prost::Message as _;

use crate::callback;
use crate::service::{Inner, unreadable};

/// Entries of a shard that are read and recorded together.
const BATCH: usize = 1000;
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) async fn run(inner: &Arc<Inner>) {
    let mut ticks = tokio::time::interval(inner.deps.settings.follow_every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut forgotten = 0;
    loop {
        ticks.tick().await;
        callback::refresh(inner).await;
        if follow(inner).await.is_err() {
            continue; // It was told; the next tick tries again.
        }
        inner.callbacks.more.notify_waiters();
        let today = today(inner);
        if forgotten < today {
            match inner.deps.index.forget_before(today.saturating_sub(inner.deps.settings.keep_days)).await {
                Ok(()) => forgotten = today,
                Err(error) => _ = unreadable("report index", &error),
            }
        }
    }
}

/// Days since 1970 in the zone of the settings.
fn today(inner: &Inner) -> u64 {
    let east_ms = i64::from(inner.deps.settings.zone_minutes) * 60_000;
    inner.deps.clock.now_ms().saturating_add_signed(east_ms) / DAY_MS
}

/// Waits until the index holds everything that the log held when this was called.
pub(crate) async fn followed(inner: &Arc<Inner>) -> Result<(), Failure> {
    let late = || Failure::new(Reason::Unavailable, "the index of messages is being made: try again");
    // Apart from this call, which may be given up at any moment: a record is never left half done.
    let task = tokio::spawn({
        let inner = Arc::clone(inner);
        async move { follow(&inner).await }
    });
    match tokio::time::timeout(inner.deps.settings.follow_within, task).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

async fn follow(inner: &Inner) -> Result<(), Failure> {
    let _one = inner.following.lock().await;
    let index_failed = |error: mynah_ports::report_index::Error| unreadable("report index", &error);
    let positions = inner.deps.index.positions().await.map_err(index_failed)?;
    let positions: HashMap<ShardId, MsgId> = positions.into_iter().collect();
    for shard in (0..SHARDS).map(ShardId) {
        let mut position = positions.get(&shard).copied().unwrap_or_default();
        loop {
            let entries = inner.deps.log.since(shard, position, BATCH).await;
            let entries = entries.map_err(|error| unreadable("message log", &error))?;
            let Some((_, last)) = entries.last() else { break };
            position = last.msg_id;
            let whole = entries.len() < BATCH;
            let messages: Vec<Recorded> = entries.iter().filter_map(|(key, entry)| recorded(inner, *key, entry)).collect();
            metrics::counter!("mynah_report_recorded_total").increment(messages.len() as u64);
            inner.deps.index.record(shard, position, messages).await.map_err(index_failed)?;
            if whole {
                break;
            }
        }
    }
    Ok(())
}

/// A message as the index keeps it; none for events, retractions and feeds.
fn recorded(inner: &Inner, key: ConversationKey, entry: &Entry) -> Option<Recorded> {
    if !matches!(entry.kind, EntryKind::Message { .. }) || key.kind() == ConversationKind::Feed {
        return None;
    }
    let read = Payload::decode(entry.payload.clone()).ok().and_then(|payload| match payload {
        Payload { from: Some(from), kind: Some(entry::Kind::Message(message)), .. } => {
            Some((AppKey::parse(&from.appkey).ok()?, sort(&message.msg_type)))
        }
        _ => None,
    });
    let Some((app, sort)) = read else {
        tracing::warn!(conversation = %key, seq = entry.seq, "a message does not read: it is left out of reports");
        return None;
    };
    let place = Place { ctime: entry.ctime, msg_id: entry.msg_id, key, seq: entry.seq };
    let queued = inner.callbacks.wants(&app);
    Some(Recorded { app, sender: entry.sender, place, sort, queued })
}

fn sort(msg_type: &str) -> Sort {
    match msg_type {
        "text" => Sort::Text,
        "image" => Sort::Image,
        "voice" => Sort::Voice,
        _ => Sort::Other,
    }
}
