//! The reading side of change events: a thread that reads all partitions, and what nobody took yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mynah_ports::changes::{Heard, Unheard};
use parking_lot::{Condvar, Mutex};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::Notify;

use super::event::decode;
use crate::counts::Counts;
use crate::record::header;
use crate::{Settings, client, log};

/// One look at whether the reader is closed.
const POLL: Duration = Duration::from_millis(100);
/// How long a question to the brokers may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The pause before another attempt to find the ends of the partitions.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How often it looks for new partitions.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Reader {
    shared: Arc<Shared>,
    taking: tokio::sync::Mutex<()>,
}

struct Shared {
    topic: String,
    counts: Counts,
    state: Mutex<State>,
    closing: Condvar,
    filled: Notify,
}

struct State {
    unheard: Unheard,
    closed: bool,
}

impl Reader {
    pub(super) fn start(settings: &Settings) -> Result<Self, crate::StartError> {
        let shared = Arc::new(Shared {
            topic: settings.topic.clone(),
            counts: Counts::new(&settings.topic),
            state: Mutex::new(State { unheard: Unheard::new(settings.read_ahead), closed: false }),
            closing: Condvar::new(),
            filled: Notify::new(),
        });
        let consumer: BaseConsumer<Context> = config(settings).create_with_context(Context)?;
        let reading = Arc::clone(&shared);
        std::thread::Builder::new().name("mynah-kafka-changes".into()).spawn(move || reading.run(&consumer))?;
        Ok(Self { shared, taking: tokio::sync::Mutex::new(()) })
    }

    pub(super) async fn next(&self, max: usize) -> Option<Heard> {
        let _one_at_a_time = self.taking.lock().await;
        loop {
            {
                let mut state = self.shared.state.lock();
                if state.closed {
                    return None;
                }
                let heard = state.unheard.take(max);
                if heard.is_some() {
                    return heard;
                }
            }
            self.shared.filled.notified().await;
        }
    }

    pub(super) fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.closing.notify_all();
        self.shared.filled.notify_one();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn run(&self, consumer: &BaseConsumer<Context>) {
        while !self.state.lock().closed {
            match self.begin(consumer) {
                Ok(partitions) => self.read(consumer, partitions),
                Err(error) => {
                    tracing::debug!(%error, topic = self.topic, "change events are not read yet");
                    let mut state = self.state.lock();
                    if !state.closed {
                        self.closing.wait_for(&mut state, TRY_AGAIN);
                    }
                }
            }
        }
    }

    /// From the ends of all partitions on. The ends are known before anybody hears of it: what comes while he reads again is after them.
    fn begin(&self, consumer: &BaseConsumer<Context>) -> KafkaResult<usize> {
        let partitions = self.partitions(consumer)?;
        let mut ends = TopicPartitionList::with_capacity(partitions.len());
        for partition in &partitions {
            let (_, end) = consumer.fetch_watermarks(&self.topic, *partition, ANSWER_WITHIN)?;
            ends.add_partition_offset(&self.topic, *partition, Offset::Offset(end))?;
        }
        consumer.assign(&ends)?;
        self.state.lock().unheard.add_everything();
        self.filled.notify_one();
        Ok(partitions.len())
    }

    fn partitions(&self, consumer: &BaseConsumer<Context>) -> KafkaResult<Vec<i32>> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), ANSWER_WITHIN)?;
        let all = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
        let partitions: Vec<i32> = all.collect();
        if partitions.is_empty() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
        }
        Ok(partitions)
    }

    /// Reads until it is closed, its place is lost or there are other partitions.
    fn read(&self, consumer: &BaseConsumer<Context>, partitions: usize) {
        let mut looked = Instant::now();
        while !self.state.lock().closed {
            match consumer.poll(POLL) {
                Some(Ok(message)) => self.hear(&message),
                Some(Err(error)) if passes(&error) => tracing::debug!(%error, "change events are not read now"),
                Some(Err(error)) => {
                    tracing::warn!(%error, topic = self.topic, "the place among the change events is lost");
                    return;
                }
                None => {}
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                if self.partitions(consumer).is_ok_and(|now| now.len() != partitions) {
                    return;
                }
            }
        }
    }

    fn hear(&self, message: &BorrowedMessage<'_>) {
        self.counts.read.increment(1);
        let mut state = self.state.lock();
        match decode(message.payload().unwrap_or_default(), header(message)) {
            Some(change) => state.unheard.add(change),
            None => {
                let (partition, offset) = (message.partition(), message.offset());
                tracing::error!(partition, offset, "what is no change event may be any change");
                state.unheard.add_everything();
            }
        }
        self.filled.notify_one();
    }
}

/// Whether the client goes on by itself where it was.
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    let code = error.rdkafka_error_code();
    matches!(code, Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve))
}

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::library(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::error(&error, reason);
    }
}

impl ConsumerContext for Context {}

fn config(settings: &Settings) -> ClientConfig {
    let mut config = client::config(settings);
    config
        // The library wants a name. Partitions are taken, not shared, and nothing is committed: there is no such group.
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // A place that is not there any more is told, never passed over.
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "4096")
        .set("topic.metadata.refresh.interval.ms", "10000");
    config
}
