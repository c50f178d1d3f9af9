//! Kafka: fan-out records, change events.

use std::sync::Arc;
use std::time::Duration;

use mynah_kafka::{KafkaBus, KafkaChanges, Settings};
use mynah_ports::Changes;

use super::protection::{kafka, tell};
use crate::process::{Outcome, Process};

/// The bus; its brokers need not be there yet.
pub(crate) fn bus(process: &Process) -> Outcome<KafkaBus> {
    Ok(KafkaBus::start(&settings(process, "fanout")?)?)
}

/// Change events; none without Kafka. Its brokers need not be there yet.
pub(crate) fn changes(process: &Process) -> Outcome<Option<Arc<dyn Changes>>> {
    if process.settings.kafka.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(KafkaChanges::start(&settings(process, "changes")?)?)))
}

fn settings(process: &Process, what: &str) -> Outcome<Settings> {
    let told = &process.settings;
    let name = format!("{}.{what}", told.prefix);
    let usual = Settings::new(&told.kafka, &name, &name);
    let session = Duration::from_millis(told.kafka_session_ms);
    let security = kafka(told, process.authorities.clone())?;
    tell(told, "kafka", security.tls);
    Ok(Settings { security, partitions: told.kafka_partitions, replicas: told.kafka_replicas, session, ..usual })
}
