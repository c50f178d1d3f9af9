//! Change events on Kafka: a topic that every process reads in whole, from the moment that it began.

mod event;
mod reader;

use async_trait::async_trait;
use mynah_ports::Changes;
use mynah_ports::changes::{Change, Error, Heard};

use crate::publisher::Publisher;
use crate::topic::Maker;
use crate::{Settings, StartError};
use reader::Reader;

/// A publisher of changes and one reader of all of them.
///
/// The reader begins at the end of the topic, and says [`Heard::Everything`] once it knows where that is. It says so again when its place
/// is lost, as after an outage that was longer than the topic remembers. It keeps [`Settings::read_ahead`] changes that nobody took.
pub struct KafkaChanges {
    publisher: Publisher,
    reader: Reader,
    _maker: Maker,
}

impl KafkaChanges {
    /// Connects by itself, now or when the brokers are there. To be called inside a tokio runtime. The group of the settings is a name
    /// only: there is nothing to share.
    ///
    /// # Errors
    /// When the settings are refused.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let reader = Reader::start(settings)?;
        Ok(Self { publisher: Publisher::start(settings)?, reader, _maker: Maker::start(settings, || {})? })
    }

    /// Stops reading; `next` gives None.
    pub fn close(&self) {
        self.reader.close();
    }
}

#[async_trait]
impl Changes for KafkaChanges {
    async fn publish(&self, change: Change) -> Result<(), Error> {
        self.publisher.publish(event::encode(change)).await
    }

    async fn next(&self, max: usize) -> Option<Heard> {
        self.reader.next(max).await
    }
}
