//! From a durable entry to the gateways: single chats directly, groups and rooms over the bus to the fan-out worker.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_domain::audience;
use mynah_domain::conversation::Deliverable;
use mynah_domain::delivery::LowWater;
use mynah_ports::bus::FanoutRecord;
use mynah_ports::presence::Audience;
use mynah_ports::{Bus, MessageLog, Presence, message_log};
use mynah_proto::GatewayClient;
use mynah_proto::gateway::{DeliverRequest, ReadChangedRequest, Record};
use mynah_types::{ConversationKey, ConversationKind, EntryKind, GatewayId, MemberChange, MsgId, ShardId, Uid};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::convert;

/// Delivery tasks: entries of one conversation always take the same one, so that they keep their order.
const LANES: usize = 4;
/// Entries that are read at once to be delivered again.
const REDELIVERY_PAGE: usize = 512;
/// Records that a fan-out worker takes at once.
const FANOUT_BATCH: usize = 256;

/// The gateways that can be reached, by id.
#[derive(Debug, Clone, Default)]
pub struct Gateways(Arc<BTreeMap<GatewayId, GatewayClient>>);

impl Gateways {
    /// The embedded shape: one gateway, in this process.
    #[must_use]
    pub fn single(id: GatewayId, client: GatewayClient) -> Self {
        Self(Arc::new(BTreeMap::from([(id, client)])))
    }

    fn get(&self, id: GatewayId) -> Option<&GatewayClient> {
        self.0.get(&id)
    }

    /// The clients of an audience; every one if it is unknown.
    fn of(&self, audience: Result<Audience, mynah_ports::presence::Error>) -> Vec<&GatewayClient> {
        match audience {
            Ok(Audience::Known(ids)) => ids.iter().filter_map(|id| self.get(*id)).collect(),
            Ok(Audience::Unknown) => self.0.values().collect(),
            Err(error) => {
                tracing::warn!(%error, "presence does not answer: delivering to every gateway");
                self.0.values().collect()
            }
        }
    }
}

/// How far each shard's deliveries are complete.
#[derive(Debug)]
pub(crate) struct Progress {
    shards: Mutex<HashMap<ShardId, ShardProgress>>,
    store_every: Duration,
}

#[derive(Debug)]
struct ShardProgress {
    water: LowWater,
    stored: MsgId,
    stored_at: Instant,
}

impl Progress {
    pub(crate) fn new(store_every: Duration, claims: &[mynah_types::Claim]) -> Self {
        let of = |claim: &mynah_types::Claim| {
            let delivered = claim.progress.delivered;
            (claim.shard, ShardProgress { water: LowWater::at(delivered), stored: delivered, stored_at: Instant::now() })
        };
        Self { shards: Mutex::new(claims.iter().map(of).collect()), store_every }
    }

    pub(crate) fn issued(&self, ids: &[MsgId]) {
        let mut shards = self.shards.lock();
        for id in ids {
            if let Some(shard) = shards.get_mut(&id.shard()) {
                shard.water.issued(*id);
            }
        }
    }

    fn mark(&self, shard: ShardId) -> MsgId {
        self.shards.lock().get(&shard).map_or(MsgId(0), |shard| shard.water.mark())
    }

    fn knows(&self, id: MsgId) -> bool {
        self.shards.lock().get(&id.shard()).is_some_and(|shard| shard.water.knows(id))
    }

    fn completed(&self, id: MsgId) {
        if let Some(shard) = self.shards.lock().get_mut(&id.shard()) {
            shard.water.completed(id);
        }
    }

    /// What to store with the shard's next append: seldom, since a position that lags only repeats deliveries.
    pub(crate) fn to_store(&self, shard: ShardId) -> Option<mynah_types::Progress> {
        let mut shards = self.shards.lock();
        let shard = shards.get_mut(&shard)?;
        let mark = shard.water.mark();
        if mark == shard.stored || shard.stored_at.elapsed() < self.store_every {
            return None;
        }
        shard.stored = mark;
        shard.stored_at = Instant::now();
        // The in-process bus acknowledges by delivering.
        Some(mynah_types::Progress { delivered: mark, published: mark })
    }
}

/// Takes durable entries and sees to it that they reach the gateways.
#[derive(Clone)]
pub(crate) struct Delivery {
    lanes: Arc<Vec<mpsc::Sender<(ConversationKey, Deliverable)>>>,
    shared: Arc<Shared>,
}

struct Shared {
    presence: Arc<dyn Presence>,
    bus: Arc<dyn Bus>,
    gateways: Gateways,
    progress: Arc<Progress>,
}

impl Delivery {
    pub(crate) fn start(
        presence: Arc<dyn Presence>,
        bus: Arc<dyn Bus>,
        gateways: Gateways,
        progress: Arc<Progress>,
        queue: usize,
    ) -> Self {
        let shared = Arc::new(Shared { presence, bus, gateways, progress });
        let lanes = (0..LANES)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(queue);
                tokio::spawn(Arc::clone(&shared).run_lane(receiver));
                sender
            })
            .collect();
        tokio::spawn(Arc::clone(&shared).run_fanout());
        Self { lanes: Arc::new(lanes), shared }
    }

    /// Queues entries of one conversation, in order. A full lane makes the actor wait, and its mailbox fill.
    pub(crate) async fn push(&self, key: ConversationKey, entries: Vec<Deliverable>) {
        let lane = usize::from(key.shard().0) % LANES;
        if let Some(lane) = self.lanes.get(lane) {
            for entry in entries {
                if lane.send((key, entry)).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Delivers what the log holds of a shard above the mark and nobody has on its way: what the last owner left, or what an append of
    /// unknown outcome wrote after all. Devices drop what they have by seq.
    pub(crate) async fn redeliver(&self, log: &dyn MessageLog, shard: ShardId) -> Result<(), message_log::Error> {
        let progress = &self.shared.progress;
        let mut after = progress.mark(shard);
        loop {
            let page = log.since(shard, after, REDELIVERY_PAGE).await?;
            let Some((_, last)) = page.last() else { return Ok(()) };
            after = last.msg_id;
            for (key, entry) in page {
                if progress.knows(entry.msg_id) {
                    continue;
                }
                progress.issued(&[entry.msg_id]);
                let change = match (key, entry.kind) {
                    (ConversationKey::Group(_), EntryKind::Event) => audience::changed_by(&entry, &log.members(key).await?),
                    _ => MemberChange::default(),
                };
                self.push(key, vec![Deliverable { entry, change, origin_conn: 0 }]).await;
            }
        }
    }

    /// Tells the gateways where a user is connected that his read position moved.
    pub(crate) async fn read_changed(&self, request: ReadChangedRequest) {
        let audience = self.shared.presence.audience(ConversationKey::Feed(Uid(request.uid))).await;
        for gateway in self.shared.gateways.of(audience) {
            if let Err(error) = gateway.read_changed(request.clone()).await {
                tracing::debug!(%error, "a read position did not reach a gateway");
            }
        }
    }
}

impl Shared {
    async fn run_lane(self: Arc<Self>, mut entries: mpsc::Receiver<(ConversationKey, Deliverable)>) {
        let mut batch = Vec::new();
        while entries.recv_many(&mut batch, FANOUT_BATCH).await > 0 {
            for (key, entry) in batch.drain(..) {
                match key.kind() {
                    ConversationKind::Single | ConversationKind::Feed => self.to_users(key, entry).await,
                    ConversationKind::Group | ConversationKind::Room => self.to_bus(key, entry).await,
                }
            }
        }
    }

    async fn to_users(&self, key: ConversationKey, entry: Deliverable) {
        let audience = self.presence.audience(key).await;
        let id = entry.entry.msg_id;
        let record = convert::record(key, entry);
        self.deliver(self.gateways.of(audience), vec![record]).await;
        self.progress.completed(id);
    }

    async fn to_bus(&self, key: ConversationKey, entry: Deliverable) {
        let Deliverable { entry, change, origin_conn } = entry;
        let record = FanoutRecord { key, entry, change, origin_conn, traceparent: None };
        if let Err(error) = self.bus.publish(record.clone()).await {
            // The direct path: the worker's own code, fed by the router.
            tracing::warn!(%error, "the bus does not take a record: it goes directly");
            self.fan_out(vec![record]).await;
        }
    }

    async fn run_fanout(self: Arc<Self>) {
        while let Some(records) = self.bus.next(FANOUT_BATCH).await {
            self.fan_out(records).await;
        }
    }

    /// One record a gateway, never one a member.
    async fn fan_out(&self, records: Vec<FanoutRecord>) {
        for record in records {
            let mut audience = self.presence.audience(record.key).await;
            // Those who come or go are told too, where nobody else of the conversation is connected.
            for uid in record.change.added.iter().chain(&record.change.removed) {
                audience = join(audience, self.presence.audience(ConversationKey::Feed(*uid)).await);
            }
            let id = record.entry.msg_id;
            let wire = convert::fanout_record(record);
            self.deliver(self.gateways.of(audience), vec![wire]).await;
            self.progress.completed(id);
        }
    }

    async fn deliver(&self, gateways: Vec<&GatewayClient>, records: Vec<Record>) {
        for gateway in gateways {
            if let Err(error) = gateway.deliver(DeliverRequest { records: records.clone() }).await {
                // Devices of that gateway find the gap by seq; the log has it.
                metrics::counter!("mynah_delivery_failures_total").increment(1);
                tracing::warn!(%error, "a gateway did not take records");
            }
        }
    }
}

type AudienceResult = Result<Audience, mynah_ports::presence::Error>;

fn join(a: AudienceResult, b: AudienceResult) -> AudienceResult {
    match (a?, b?) {
        (Audience::Known(mut a), Audience::Known(b)) => {
            a.extend(b);
            a.sort_unstable();
            a.dedup();
            Ok(Audience::Known(a))
        }
        _ => Ok(Audience::Unknown),
    }
}
