//! What the client library says, in our log.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

pub(crate) fn library(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => tracing::error!(facility, "{message}"),
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, "{message}"),
    }
}

/// The library goes on by itself after these; a broken client says so elsewhere.
pub(crate) fn error(error: &KafkaError, reason: &str) {
    tracing::warn!(%error, reason, "Kafka");
}
