//! Creating the topic.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

const WITHIN: Duration = Duration::from_secs(30);

/// Creates the topic of a bus if there is none. `partitions` is the most workers that can share it; `replicas` are 3 where a record must
/// outlive a broker. More partitions later would move conversations to others while records of them are under way.
///
/// # Errors
/// When the brokers do not answer within 30 s, or refuse.
pub async fn create_topic(brokers: &str, topic: &str, partitions: u16, replicas: u8) -> Result<(), KafkaError> {
    let client: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    // A record is acknowledged by two at least, if there are so many.
    let in_sync = if replicas > 2 { "2" } else { "1" };
    let new = NewTopic::new(topic, i32::from(partitions), TopicReplication::Fixed(i32::from(replicas)))
        .set("min.insync.replicas", in_sync)
        .set("unclean.leader.election.enable", "false");
    let options = AdminOptions::new().request_timeout(Some(WITHIN)).operation_timeout(Some(WITHIN));
    for result in client.create_topics(&[new], &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code)),
        }
    }
    Ok(())
}
