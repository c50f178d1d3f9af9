//! The sending side: every record confirmed by all replicas, in order per conversation, in bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mynah_ports::bus::Error;
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::counts::Counts;
use crate::gate::Gate;
use crate::polled::Polled;
use crate::record::{Encoded, TRACEPARENT};
use crate::{Settings, client, log};

/// While nothing is confirmed: how many records at most wait for that at a time.
const TRIES_WITHIN: u32 = 4;

pub(crate) struct Publisher {
    config: ClientConfig,
    producer: Mutex<Arc<Polled>>,
    topic: String,
    places: Arc<Semaphore>,
    all_places: u32,
    within: Duration,
    gate: Arc<Mutex<Gate>>,
    next_id: AtomicU64,
    counts: Counts,
}

/// A record on its way; its place is free again when the brokers took it or it was dropped.
pub(crate) struct Sent {
    id: u64,
    reply: oneshot::Sender<Result<(), KafkaError>>,
    _place: OwnedSemaphorePermit,
}

/// Hears what became of each record.
pub(crate) struct Reports {
    gate: Arc<Mutex<Gate>>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::library(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::error(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let outcome = result.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        // Under the lock, so that a publisher that gives up now sees either the answer or that it is too early for one.
        let mut gate = self.gate.lock();
        gate.answered(sent.id, outcome.is_ok());
        // A publisher that went away does not want to know.
        _ = sent.reply.send(outcome);
    }
}

impl Publisher {
    pub(crate) fn start(settings: &Settings) -> Result<Self, KafkaError> {
        let config = config(settings);
        let gate = Arc::<Mutex<Gate>>::default();
        let all_places = settings.in_flight_kib.max(1);
        Ok(Self {
            producer: Mutex::new(Arc::new(producer(&config, &gate)?)),
            config,
            topic: settings.topic.clone(),
            places: Arc::new(Semaphore::new(usize::try_from(all_places).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))),
            all_places,
            within: settings.acknowledged_within,
            gate,
            next_id: AtomicU64::new(0),
            counts: Counts::new(&settings.topic),
        })
    }

    pub(crate) async fn publish(&self, encoded: Encoded) -> Result<(), Error> {
        let outcome = self.try_publish(&encoded).await;
        match &outcome {
            Ok(()) => self.counts.published.increment(1),
            Err(_) => self.counts.publish_failures.increment(1),
        }
        outcome
    }

    async fn try_publish(&self, encoded: &Encoded) -> Result<(), Error> {
        let until = Instant::now() + self.within;
        if !self.gate.lock().admits(&encoded.key, std::time::Instant::now(), self.within / TRIES_WITHIN) {
            return Err(Error::Unavailable("earlier records are not confirmed".into()));
        }
        let places = u32::try_from(encoded.value.len() / 1024).unwrap_or(u32::MAX).saturating_add(1).min(self.all_places);
        let place = timeout_at(until, Arc::clone(&self.places).acquire_many_owned(places)).await;
        let Ok(Ok(place)) = place else {
            return Err(Error::Unavailable("too many records wait for the brokers".into()));
        };
        let (reply, mut answer) = oneshot::channel();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let sent = Box::new(Sent { id, reply, _place: place });
        let mut kafka_record = BaseRecord::with_opaque_to(&self.topic, sent).key(&encoded.key).payload(&encoded.value);
        if let Some(text) = &encoded.traceparent {
            let header = Header { key: TRACEPARENT, value: Some(text.as_bytes()) };
            kafka_record = kafka_record.headers(OwnedHeaders::new_with_capacity(1).insert(header));
        }
        self.working()?.producer().send(kafka_record).map_err(|(error, _)| unavailable(&error))?;
        match timeout_at(until, &mut answer).await {
            Ok(outcome) => confirmed(outcome.ok()),
            Err(_) => self.give_up(id, &encoded.key, answer),
        }
    }

    /// The client; another one in place of one that is broken for good, as after a loss of data in the brokers.
    fn working(&self) -> Result<Arc<Polled>, Error> {
        let mut current = self.producer.lock();
        if let Some((code, why)) = current.producer().client().fatal_error() {
            tracing::error!(%code, error = why, "the Kafka producer is broken and begins anew");
            *current = Arc::new(producer(&self.config, &self.gate).map_err(|error| unavailable(&error))?);
        }
        Ok(Arc::clone(&current))
    }

    fn give_up(&self, id: u64, key: &[u8], mut answer: oneshot::Receiver<Result<(), KafkaError>>) -> Result<(), Error> {
        let mut gate = self.gate.lock();
        match answer.try_recv() {
            Ok(outcome) => confirmed(Some(outcome)),
            Err(oneshot::error::TryRecvError::Closed) => confirmed(None),
            Err(oneshot::error::TryRecvError::Empty) => {
                gate.is_late(id, key, std::time::Instant::now());
                Err(Error::Unavailable("no acknowledgement in time".into()))
            }
        }
    }
}

fn confirmed(outcome: Option<Result<(), KafkaError>>) -> Result<(), Error> {
    outcome
        .map_or_else(|| Err(Error::Unavailable("the client was closed".into())), |sent| sent.map_err(|error| unavailable(&error)))
}

fn unavailable(error: &KafkaError) -> Error {
    Error::Unavailable(error.to_string())
}

fn producer(config: &ClientConfig, gate: &Arc<Mutex<Gate>>) -> Result<Polled, KafkaError> {
    Polled::start(config.create_with_context(Reports { gate: Arc::clone(gate) })?)
}

fn config(settings: &Settings) -> ClientConfig {
    let mut config = client::config(settings);
    config
        // All replicas, no record twice and none before an earlier one of its conversation, however often it is tried.
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", settings.kept_for.as_millis().max(1).to_string())
        // A caller waits for each record: there is nothing to gather.
        .set("linger.ms", "0")
        // The places bound the queue; the library's own bound is above them.
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", "2097151")
        .set("socket.timeout.ms", "10000")
        .set("request.timeout.ms", "5000")
        .set("topic.metadata.refresh.interval.ms", "30000");
    config
}
