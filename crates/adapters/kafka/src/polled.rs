//! A producer and the thread that hears its reports.
//!
//! The library's own such producer asks every 100 ms, and what is left of each wait under a millisecond it spends in a loop: 1 % of a
//! processor, in every process that publishes anything. Here a wait is longer, and ends with each report as it does there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::BaseProducer;

use crate::publisher::Reports;

/// How long the thread waits for a report. A producer that is dropped is closed within that time.
const WAIT: Duration = Duration::from_secs(2);

pub(crate) struct Polled {
    producer: Arc<BaseProducer<Reports>>,
    stopped: Arc<AtomicBool>,
}

impl Polled {
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(producer: BaseProducer<Reports>) -> Result<Self, KafkaError> {
        let (producer, stopped) = (Arc::new(producer), Arc::<AtomicBool>::default());
        let (polled, stop) = (Arc::clone(&producer), Arc::clone(&stopped));
        let poll = move || {
            while !stop.load(Ordering::Relaxed) {
                polled.poll(WAIT);
            }
        };
        let thread = std::thread::Builder::new().name("mynah-kafka-out".into()).spawn(poll);
        thread.map_err(|_| KafkaError::ClientCreation("no thread".into()))?;
        Ok(Self { producer, stopped })
    }

    pub(crate) fn producer(&self) -> &BaseProducer<Reports> {
        &self.producer
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
