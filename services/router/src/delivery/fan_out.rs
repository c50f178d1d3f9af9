//! Which gateways hear of a record: one record a gateway, never one a member.

use std::sync::Arc;
use std::time::SystemTime;

use mynah_ports::bus::FanoutRecord;
use mynah_ports::presence::{self, Audience};
use mynah_types::ConversationKey;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::progress::Ticket;
use super::{BATCH, RETRY_EVERY, Shared, traced};
use crate::convert;

/// Batches of the bus that may be open at one time.
const OPEN_BATCHES: usize = 1024;

type AudienceResult = Result<Audience, presence::Error>;

impl Shared {
    /// Hands the bus's records on. A batch counts as handled when each gateway has its part, or what stands for it, or is gone; the next
    /// ones do not wait for that, so that a gateway that hangs holds up nobody else.
    pub(super) async fn run_worker(self: Arc<Self>) {
        // Batches that wait for a gateway; more of them would be a backlog that nobody sees.
        let open = Arc::new(Semaphore::new(OPEN_BATCHES));
        while let Some(records) = self.bus.next(BATCH).await {
            let receipt = self.bus.hold();
            let (held, mut complete) = mpsc::channel::<()>(1);
            let mut postponed = self.fan_out(records, Some(held.clone())).await;
            while !postponed.is_empty() {
                tokio::time::sleep(RETRY_EVERY).await;
                postponed = self.fan_out(postponed, Some(held.clone())).await;
            }
            drop(held);
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&open).acquire_owned().await else { return };
            tokio::spawn(async move {
                // None when the last ticket is gone.
                while complete.recv().await.is_some() {}
                receipt.handled();
                drop(place);
            });
        }
    }

    /// Puts records on the links of their audiences, in order. Returns those of which nobody can say to whom they go.
    pub(super) async fn fan_out(&self, records: Vec<FanoutRecord>, batch: Option<mpsc::Sender<()>>) -> Vec<FanoutRecord> {
        let (mut postponed, since) = (Vec::new(), SystemTime::now());
        let audiences = self.audiences(&records).await;
        let read = Instant::now();
        for (mut record, audience) in records.into_iter().zip(audiences) {
            let Some(links) = self.links.of(&audience, read).await else {
                metrics::counter!("mynah_delivery_postponed_total").increment(1);
                postponed.push(record);
                continue;
            };
            let ticket = Ticket::new(record.entry.msg_id, &self.progress, batch.clone());
            let _span = traced::fanned_out(&mut record, since, links.len());
            let (key, wire) = (record.key, convert::fanout_record(record));
            if let Some((last, others)) = links.split_last() {
                for link in others {
                    link.push(key, wire.clone(), ticket.clone());
                }
                last.push(key, wire, ticket);
            }
        }
        postponed
    }

    /// The same for records of this router's shards: what is postponed is delivered from the log later.
    pub(super) async fn fan_out_own(&self, records: Vec<FanoutRecord>) {
        for record in self.fan_out(records, None).await {
            self.progress.gave_up(record.entry.msg_id);
        }
    }

    /// The audience of each record, asked for at once.
    async fn audiences(&self, records: &[FanoutRecord]) -> Vec<AudienceResult> {
        let mut keys = Vec::with_capacity(records.len());
        let mut parts = Vec::with_capacity(records.len());
        for record in records {
            keys.push(record.key);
            // Those who come or go are told too, where nobody else of the conversation is connected.
            let moved = record.change.added.iter().chain(&record.change.removed);
            keys.extend(moved.map(|uid| ConversationKey::Feed(*uid)));
            parts.push(keys.len());
        }
        let found = match self.presence.audiences(&keys).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "presence does not answer: delivering to every gateway");
                return records.iter().map(|_| Err(presence::Error::Unavailable(String::new()))).collect();
            }
        };
        let mut found = found.into_iter();
        let mut begin = 0;
        parts.into_iter().map(|end| Ok(join(found.by_ref().take(end - std::mem::replace(&mut begin, end))))).collect()
    }
}

fn join(parts: impl Iterator<Item = Audience>) -> Audience {
    let mut all = Vec::new();
    let mut unknown = false;
    for part in parts {
        match part {
            Audience::Known(ids) => all.extend(ids),
            Audience::Unknown => unknown = true,
        }
    }
    if unknown {
        return Audience::Unknown;
    }
    all.sort_unstable();
    all.dedup();
    Audience::Known(all)
}
