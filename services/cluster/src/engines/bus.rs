//! Kafka: fan-out records.

use std::time::Duration;

use mynah_kafka::{KafkaBus, Settings};

use crate::process::{Outcome, Process};

/// The bus; its brokers need not be there yet.
pub(crate) fn bus(process: &Process) -> Outcome<KafkaBus> {
    let told = &process.settings;
    let topic = format!("{}.fanout", told.prefix);
    let usual = Settings::new(&told.kafka, topic, format!("{}.fanout", told.prefix));
    let session = Duration::from_millis(told.kafka_session_ms);
    Ok(KafkaBus::start(&Settings { partitions: told.kafka_partitions, replicas: told.kafka_replicas, session, ..usual })?)
}
