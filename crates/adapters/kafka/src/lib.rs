//! The bus and the change events on Apache Kafka.
//!
//! It owns how records lie in Kafka (key: the conversation; value: `mynah.router.v1.FanoutRecord`; header: `traceparent`), how they are
//! confirmed, and how workers of one group share the partitions. It knows neither who publishes nor what a worker does with a record.
//!
//! At least once, in order per conversation. Three things may bring a record twice: a worker that ends with records in hand, a position
//! that was not committed, and a publisher that was told `Unavailable` and tries again: the record may have been on its way all the same.
//! Receivers drop what they have by msg_id. A record that was refused at once, because earlier ones wait, is not sent.
//!
//! Records of one conversation wait for one another, those of others do not: see `gate`.

mod changes;
mod client;
mod counts;
mod gate;
mod hand;
mod log;
mod polled;
mod publisher;
mod record;
mod settings;
mod topic;
mod worker;

use async_trait::async_trait;
use mynah_ports::Bus;
use mynah_ports::bus::{Error, FanoutRecord, Receipt};

pub use changes::KafkaChanges;
pub use settings::{Login, Mechanism, Security, Settings};

/// Why there is no bus. Brokers that do not answer are no reason: it starts without them and works when they come.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The client library refuses the settings.
    #[error("the Kafka client does not start: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// The system gives no thread.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A publisher and, from its first `next` on, one worker of the group. Dropped, it leaves the group; records in hand go to others.
pub struct KafkaBus {
    publisher: publisher::Publisher,
    worker: worker::Worker,
    _maker: topic::Maker,
}

impl KafkaBus {
    /// A bus that connects by itself, now or when the brokers are there. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the settings are refused.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let worker = worker::Worker::start(settings)?;
        let maker = topic::Maker::start(settings, worker.topic_watch())?;
        Ok(Self { publisher: publisher::Publisher::start(settings)?, worker, _maker: maker })
    }

    /// Records that were read and wait to be handed over, and their bytes; [`Settings::read_ahead`] bounds them.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        self.worker.waiting()
    }

    /// Stops reading and leaves the group, so that others take over at once. Records in hand count as not handled. Brokers that do not
    /// answer make it wait for a session, not longer.
    pub async fn close(&self) {
        self.worker.close().await;
    }
}

#[async_trait]
impl Bus for KafkaBus {
    async fn publish(&self, record: FanoutRecord) -> Result<(), Error> {
        self.publisher.publish(record::encode(record)).await
    }

    fn keeps(&self) -> bool {
        true
    }

    fn hold(&self) -> Receipt {
        self.worker.hold()
    }

    async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>> {
        self.worker.next(max).await
    }
}
