//! The way to one gateway: records in order, in batches, one call under way, bounded in bytes.
//!
//! A call that fails is made again until the gateway answers or is known to be gone. What does not fit meanwhile is not kept: the gateway
//! is told which conversations moved, and devices find the rest by seq.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mynah_proto::GatewayClient;
use mynah_proto::gateway::{DeliverRequest, Missed, Record};
use mynah_types::{ConversationKey, Seq};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::progress::{Held, Ticket};

/// Records of one call.
const BATCH: usize = 512;
/// Bytes of one call, about.
const BATCH_BYTES: usize = 1 << 20;
/// Conversations that are remembered as moved; beyond it the gateway is told to look at everything.
const MOST_MISSED: usize = 10_000;
/// What a record takes beside its payload, about.
const HEADER: usize = 200;
/// The kind of a message in a record.
const MESSAGE: u32 = 1;
/// Pauses between calls that fail.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Bounds of a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes of records that wait.
    pub(crate) bytes: usize,
    /// How long a call may take.
    pub(crate) within: Duration,
}

/// Ends, with all that waits, when it is dropped: the gateway is gone.
#[derive(Debug)]
pub(crate) struct Link {
    /// The gateway, for calls beside the queue.
    pub(crate) client: GatewayClient,
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Notify,
    most_bytes: usize,
    /// Those of all links.
    bytes: metrics::Gauge,
}

/// A record that waits: its bytes, what it completes, since when.
type Queued = (Record, usize, Ticket, Instant);

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<Queued>,
    bytes: usize,
    /// First and last of what each conversation misses.
    missed: BTreeMap<ConversationKey, (Seq, Seq)>,
    /// More is missed than can be named.
    resync: bool,
    /// Of what is missed.
    held: Held,
}

impl Link {
    pub(crate) fn start(client: GatewayClient, bounds: Bounds) -> Self {
        let bytes = metrics::gauge!("mynah_delivery_waiting_bytes");
        let queue = Arc::new(Queue { waiting: Mutex::default(), wake: Notify::new(), most_bytes: bounds.bytes, bytes });
        let task = tokio::spawn(run(client.clone(), Arc::clone(&queue), bounds.within));
        Self { client, queue, task }
    }

    /// Queues a record. It never waits.
    pub(crate) fn push(&self, key: ConversationKey, record: Record, ticket: Ticket) {
        self.queue.push(key, record, ticket);
        self.queue.wake.notify_one();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
        let waiting = std::mem::take(&mut *self.queue.waiting.lock());
        self.queue.bytes.decrement(waiting.bytes as f64);
        // Outside of the lock: each completes what nobody else carries.
        drop(waiting);
    }
}

impl Queue {
    fn push(&self, key: ConversationKey, record: Record, ticket: Ticket) {
        let more = self.waiting.lock().push(key, record, ticket, self.most_bytes);
        self.bytes.increment(more as f64);
    }

    /// The next call, and what it completes; none if nothing waits.
    fn take(&self, waited: &metrics::Histogram) -> Option<(DeliverRequest, Vec<Ticket>)> {
        let mut waiting = self.waiting.lock();
        let before = waiting.bytes;
        let next = (!waiting.is_empty()).then(|| waiting.take(waited));
        self.bytes.decrement((before - waiting.bytes) as f64);
        next
    }
}

impl Waiting {
    /// The bytes that wait more now.
    fn push(&mut self, key: ConversationKey, record: Record, ticket: Ticket, most: usize) -> usize {
        let Some(entry) = &record.entry else { return 0 };
        let bytes = entry.payload.len() + 8 * (entry.added_uids.len() + entry.removed_uids.len()) + HEADER;
        // Events have room of their own, since what they change is told by nothing else.
        let most = if entry.kind == MESSAGE { most } else { most * 2 };
        if !self.resync && (self.records.is_empty() || self.bytes + bytes <= most) {
            self.bytes += bytes;
            self.records.push_back((record, bytes, ticket, Instant::now()));
            return bytes;
        }
        let room = self.missed.len() < MOST_MISSED || self.missed.contains_key(&key);
        self.held.push(ticket);
        if !self.resync && entry.kind == MESSAGE && room {
            let missed = self.missed.entry(key).or_insert((entry.seq, entry.seq));
            *missed = (missed.0.min(entry.seq), missed.1.max(entry.seq));
            metrics::counter!("mynah_delivery_missed_total", "told" => "heads").increment(1);
        } else {
            self.resync = true;
            metrics::counter!("mynah_delivery_missed_total", "told" => "resync").increment(1);
        }
        0
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.missed.is_empty() && !self.resync
    }

    /// The next call, and what it completes.
    fn take(&mut self, waited: &metrics::Histogram) -> (DeliverRequest, Vec<Ticket>) {
        let (mut request, mut tickets, mut bytes) = (DeliverRequest::default(), Vec::new(), 0);
        while request.records.len() < BATCH && bytes < BATCH_BYTES {
            let Some((record, size, ticket, since)) = self.records.pop_front() else { break };
            waited.record(since.elapsed().as_secs_f64());
            bytes += size;
            request.records.push(record);
            tickets.push(ticket);
        }
        self.bytes -= bytes;
        // After the records that were there before them.
        if self.records.is_empty() {
            let missed = std::mem::take(&mut self.missed).into_iter();
            request.missed.extend(missed.map(|(key, (from_seq, seq))| Missed { conv_id: key.to_string(), seq, from_seq }));
            request.resync = std::mem::take(&mut self.resync);
            tickets.extend(self.held.take());
        }
        (request, tickets)
    }
}

async fn run(client: GatewayClient, queue: Arc<Queue>, within: Duration) {
    let waited = metrics::histogram!("mynah_delivery_queue_seconds");
    loop {
        let woken = queue.wake.notified();
        match queue.take(&waited) {
            Some((request, tickets)) => {
                call(&client, request, within).await;
                drop(tickets);
            }
            None => woken.await,
        }
    }
}

/// Until the gateway answers.
async fn call(client: &GatewayClient, request: DeliverRequest, within: Duration) {
    let mut pause = BACKOFF.0;
    loop {
        let why = match tokio::time::timeout(within, client.deliver(request.clone())).await {
            Ok(Ok(_)) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        metrics::counter!("mynah_delivery_failures_total").increment(1);
        tracing::warn!(error = why, records = request.records.len(), "a gateway does not take records: trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::atomic::{AtomicU64, Ordering};

    use mynah_proto::router::LogEntry;
    use mynah_types::{Claim, MsgId, OwnerToken, Progress as Delivered};

    use super::super::progress::Progress;
    use super::*;

    #[test]
    fn what_is_taken_waits_no_more() {
        let told = Arc::new(AtomicU64::new(0));
        let bytes = || f64::from_bits(told.load(Ordering::Relaxed));
        let gauge = metrics::Gauge::from_arc(Arc::clone(&told));
        let queue = Queue { waiting: Mutex::default(), wake: Notify::new(), most_bytes: 1 << 20, bytes: gauge };
        let progress = Arc::new(Progress::new(Duration::ZERO));
        for id in 1..=3 {
            let record = Record { entry: Some(LogEntry { kind: MESSAGE, ..LogEntry::default() }), ..Record::default() };
            queue.push(ConversationKey::Group(1), record, Ticket::new(MsgId(id), &progress, None));
        }
        assert!(bytes() > 0.0);
        assert_eq!(queue.take(&metrics::Histogram::noop()).unwrap().0.records.len(), 3);
        assert!(bytes().abs() < 0.5, "{}", bytes());
    }

    /// A gateway lives and does not answer: what it is to be told stays bounded, and no position passes what it has not heard of.
    #[test]
    fn however_much_is_missed_little_is_held_and_no_position_passes_it() {
        let progress = Arc::new(Progress::new(Duration::ZERO));
        let shard = ConversationKey::Group(1).shard();
        let id = |counter: u64| MsgId::compose(counter, shard);
        let claim = Claim { shard, epoch: 1, token: OwnerToken::default(), counter: 0, progress: Delivered::default() };
        progress.claimed(&[claim]);
        let mut waiting = Waiting::default();
        for n in 1..=10_000 {
            progress.issued(&[id(n)]);
            let entry = LogEntry { kind: MESSAGE, seq: n, ..LogEntry::default() };
            let record = Record { entry: Some(entry), ..Record::default() };
            waiting.push(ConversationKey::Group(n % 20), record, Ticket::new(id(n), &progress, None), 0);
        }
        assert_eq!((waiting.records.len(), waiting.missed.len(), waiting.held.len()), (1, 20, 1));
        assert_eq!(progress.look(shard).map(|look| look.after), Some(MsgId(0)), "the first is on its way");
        let (request, tickets) = waiting.take(&metrics::Histogram::noop());
        assert_eq!((request.records.len(), request.missed.len(), tickets.len()), (1, 20, 2));
        let mut tickets = tickets.into_iter();
        drop(tickets.next());
        assert_eq!(progress.look(shard).map(|look| look.after), Some(id(1)), "the rest is not heard of");
        drop(tickets);
        assert_eq!(progress.look(shard).map(|look| look.after), Some(id(10_000)));
    }
}
