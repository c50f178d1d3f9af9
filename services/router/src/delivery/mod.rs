//! From a durable entry to the gateways: single chats directly, groups and rooms over the bus to a fan-out worker, or directly while
//! the bus is away.

mod fan_out;
mod gateways;
mod in_order;
mod link;
mod progress;
mod traced;

use std::sync::Arc;
use std::time::Duration;

use mynah_domain::audience;
use mynah_domain::conversation::Deliverable;
use mynah_ports::bus::FanoutRecord;
use mynah_ports::{Bus, MessageLog, Presence, message_log};
use mynah_proto::gateway::ReadChangedRequest;
use mynah_telemetry::TraceContext;
use mynah_types::{ConversationKey, ConversationKind, EntryKind, MemberChange, Seq, ShardId, ShardRange, Uid};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use gateways::{GatewayFinder, Gateways};
use progress::Again;
pub(crate) use progress::Progress;

use gateways::Links;
use in_order::in_order;
use link::Bounds;

use crate::Settings;

/// Delivery tasks for groups and rooms, which wait for the bus: entries of one conversation always take the same one, so that they keep
/// their order. For all others one is best: the more goes together, the fewer questions to presence.
const LANES: usize = 4;
/// Entries that are read at once to be delivered again.
const REDELIVERY_PAGE: usize = 512;
/// Records that are handled at once.
const BATCH: usize = 256;
/// How long the bus is left alone after it took no record.
const BUS_PAUSE: Duration = Duration::from_secs(1);
/// How often entries are taken up again that could not be delivered.
const RETRY_EVERY: Duration = Duration::from_millis(500);

type Queued = (ConversationKey, Deliverable, Option<TraceContext>);
type Lane = mpsc::Sender<Queued>;

/// Takes durable entries and sees to it that they reach the gateways.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// Single chats and feeds; groups and rooms have lanes of their own, since these wait for the bus.
    direct: Lane,
    grouped: Arc<Vec<Lane>>,
    shared: Arc<Shared>,
}

struct Shared {
    presence: Arc<dyn Presence>,
    bus: Arc<dyn Bus>,
    links: Arc<Links>,
    progress: Arc<Progress>,
    bus_away_until: Mutex<Option<Instant>>,
}

impl Delivery {
    pub(crate) fn start(
        presence: Arc<dyn Presence>,
        bus: Arc<dyn Bus>,
        gateways: Gateways,
        progress: Arc<Progress>,
        settings: &Settings,
    ) -> Self {
        let bounds = Bounds { bytes: settings.link_bytes, within: settings.deliver_within };
        let links = Links::start(gateways, bounds);
        let shared = Arc::new(Shared { presence, bus, links, progress, bus_away_until: Mutex::default() });
        let queue = settings.delivery_queue;
        let (direct, entries) = mpsc::channel(queue);
        tokio::spawn(Arc::clone(&shared).run_direct(entries));
        let lane = |_| {
            let (sender, entries) = mpsc::channel(queue);
            tokio::spawn(Arc::clone(&shared).run_grouped(entries));
            sender
        };
        let grouped = Arc::new((0..LANES).map(lane).collect());
        tokio::spawn(Arc::clone(&shared).run_worker());
        Self { direct, grouped, shared }
    }

    /// Takes up again what could not be delivered of the shards of one database, until the router ends.
    pub(crate) async fn run_retries(self, log: Arc<dyn MessageLog>, range: ShardRange) {
        loop {
            tokio::time::sleep(RETRY_EVERY).await;
            for shard in self.shared.progress.take_given_up(range) {
                if let Err(error) = self.redeliver(&*log, shard).await {
                    self.shared.progress.look_again(shard);
                    tracing::warn!(%error, %shard, "entries are not delivered yet");
                }
            }
        }
    }

    /// Queues entries of one conversation, in order, with the traces of those that have one. A full lane makes the actor wait, and its
    /// mailbox fill.
    pub(crate) async fn push(&self, key: ConversationKey, entries: Vec<Deliverable>, traces: Vec<(Seq, TraceContext)>) {
        let lane = match key.kind() {
            ConversationKind::Single | ConversationKind::Feed => Some(&self.direct),
            ConversationKind::Group | ConversationKind::Room => self.grouped.get(usize::from(key.shard().0) % LANES),
        };
        if let Some(lane) = lane {
            for entry in entries {
                let trace = traces.iter().find(|(seq, _)| *seq == entry.entry.seq).map(|(_, trace)| *trace);
                if lane.send((key, entry, trace)).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Delivers what the log holds of a shard above the mark and nobody has on its way: what the last owner left, or what an append of
    /// unknown outcome wrote after all. Devices drop what they have by seq.
    ///
    /// # Errors
    /// When the log cannot be read. What was not handed on holds the mark.
    pub(crate) async fn redeliver(&self, log: &dyn MessageLog, shard: ShardId) -> Result<(), message_log::Error> {
        let progress = &self.shared.progress;
        let Some(look) = progress.look(shard) else { return Ok(()) };
        let mut after = look.after;
        loop {
            let page = log.since(shard, after, REDELIVERY_PAGE).await?;
            let Some((_, last)) = page.last() else {
                progress.sure(&look);
                return Ok(());
            };
            after = last.msg_id;
            for (key, entry) in page {
                // Whoever has the shard now delivers it.
                if !progress.goes_on(&look) {
                    return Ok(());
                }
                if progress.knows(entry.msg_id) {
                    continue;
                }
                let again = Again::begin(progress, entry.msg_id);
                let change = match (key, entry.kind) {
                    (ConversationKey::Group(_), EntryKind::Event) => audience::changed_by(&entry, &log.members(key).await?),
                    _ => MemberChange::default(),
                };
                self.push(key, vec![Deliverable { entry, change, origin_conn: 0 }], Vec::new()).await;
                again.handed_on();
            }
        }
    }

    /// Tells the gateways where a user is connected that his read position moved.
    pub(crate) async fn read_changed(&self, request: ReadChangedRequest) {
        let audience = self.shared.presence.audience(ConversationKey::Feed(Uid(request.uid))).await;
        for link in self.shared.links.of(&audience, Instant::now()).await.unwrap_or_default() {
            if let Err(error) = link.client.read_changed(request.clone()).await {
                tracing::debug!(%error, "a read position did not reach a gateway");
            }
        }
    }
}

impl Shared {
    async fn run_direct(self: Arc<Self>, mut entries: mpsc::Receiver<Queued>) {
        let mut batch = Vec::new();
        while entries.recv_many(&mut batch, BATCH).await > 0 {
            let records = batch.drain(..).map(record).collect();
            self.fan_out_own(records).await;
        }
    }

    async fn run_grouped(self: Arc<Self>, mut entries: mpsc::Receiver<Queued>) {
        let mut batch = Vec::new();
        while entries.recv_many(&mut batch, BATCH).await > 0 {
            let records: Vec<_> = batch.drain(..).map(record).collect();
            if self.bus_is_away() {
                self.fan_out_own(records).await;
            } else {
                self.to_bus(records).await;
            }
        }
    }

    /// Hands records to the bus, all at once and in order; those that it does not take go directly.
    async fn to_bus(&self, records: Vec<FanoutRecord>) {
        let taken = in_order(records.iter().map(|record| traced::publish(&*self.bus, record.clone()))).await;
        let mut direct = Vec::new();
        for (record, taken) in records.into_iter().zip(taken) {
            match taken {
                // A bus that keeps it sees to the rest, whatever becomes of this process.
                Ok(()) if self.bus.keeps() => self.progress.completed(record.entry.msg_id),
                Ok(()) => {}
                Err(error) => {
                    if direct.is_empty() {
                        tracing::warn!(%error, "the bus takes no records: they go directly");
                    }
                    direct.push(record);
                }
            }
        }
        if !direct.is_empty() {
            *self.bus_away_until.lock() = Some(Instant::now() + BUS_PAUSE);
            self.fan_out_own(direct).await;
        }
    }

    fn bus_is_away(&self) -> bool {
        self.bus_away_until.lock().is_some_and(|until| Instant::now() < until)
    }
}

fn record((key, deliverable, trace): Queued) -> FanoutRecord {
    let Deliverable { entry, change, origin_conn } = deliverable;
    FanoutRecord { key, entry, change, origin_conn, traceparent: trace.map(|trace| trace.text().into()) }
}
