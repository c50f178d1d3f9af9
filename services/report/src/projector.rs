//! From the log into the index: shard by shard, in the order of ids, each message once.

use std::collections::HashMap;
use std::sync::Arc;

use mynah_ports::report_index::{Place, Recorded, Sort};
use mynah_proto::Failure;
use mynah_proto::device::{Entry as Payload, entry};
use mynah_types::{AppKey, ConversationKey, ConversationKind, Entry, EntryKind, MsgId, Reason, SHARDS, ShardId};
use prost::Message as _;
use tokio::time::Instant;

use crate::callback;
use crate::service::{Inner, unreadable};

/// Entries of a shard that are read and recorded together.
const BATCH: usize = 1000;
/// Shards that are followed in one go when nobody asks.
const TOGETHER: u16 = 8;
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How far each shard is recorded, as long as whoever records knows it; none: to be read from the index.
pub(crate) type Positions = Option<HashMap<ShardId, MsgId>>;

pub(crate) async fn run(inner: &Arc<Inner>) {
    let mut forgotten = 0;
    loop {
        let next = Instant::now() + inner.deps.settings.follow_every;
        callback::refresh(inner).await;
        let followed = round(inner).await;
        *inner.stuck.lock() = followed.as_ref().err().map(|failure| failure.message.clone());
        if followed.is_ok() {
            let today = today(inner);
            if forgotten < today {
                match inner.deps.index.forget_before(today.saturating_sub(inner.deps.settings.keep_days)).await {
                    Ok(()) => forgotten = today,
                    Err(error) => _ = unreadable("report index", &error),
                }
            }
        }
        // What failed was told; the next round tries again.
        tokio::time::sleep_until(next).await;
    }
}

/// Follows every shard, a few at a time over the whole of the time between two rounds: in one go it would hold up the messages that are
/// on their way. A round that has more to do than that takes no rest.
async fn round(inner: &Inner) -> Result<(), Failure> {
    let (since, every) = (Instant::now(), inner.deps.settings.follow_every);
    for shard in 0..SHARDS {
        if shard % TOGETHER == 0 {
            tokio::time::sleep_until(since + every * u32::from(shard) / u32::from(SHARDS)).await;
        }
        follow(inner, ShardId(shard)).await?;
    }
    Ok(())
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
        async move {
            for shard in (0..SHARDS).map(ShardId) {
                follow(&inner, shard).await?;
            }
            Ok(())
        }
    });
    match tokio::time::timeout(inner.deps.settings.follow_within, task).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

/// Records what a shard has more.
async fn follow(inner: &Inner, shard: ShardId) -> Result<(), Failure> {
    let index_failed = |error: mynah_ports::report_index::Error| unreadable("report index", &error);
    loop {
        // Held for a batch: whoever else follows goes on where this one ends. It is put back when all went well, else read anew.
        let mut following = inner.following.lock().await;
        let mut positions = match following.take() {
            Some(positions) => positions,
            None => inner.deps.index.positions().await.map_err(index_failed)?.into_iter().collect(),
        };
        let position = positions.get(&shard).copied().unwrap_or_default();
        let entries = inner.deps.log.since(shard, position, BATCH).await;
        let entries = entries.map_err(|error| unreadable("message log", &error))?;
        if let Some((_, last)) = entries.last() {
            let messages: Vec<Recorded> = entries.iter().filter_map(|(key, entry)| recorded(inner, *key, entry)).collect();
            metrics::counter!("mynah_report_recorded_total").increment(messages.len() as u64);
            inner.deps.index.record(shard, last.msg_id, messages).await.map_err(index_failed)?;
            positions.insert(shard, last.msg_id);
            inner.callbacks.more.notify_waiters();
        }
        *following = Some(positions);
        if entries.len() < BATCH {
            return Ok(());
        }
    }
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
