//! Creating the topic.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use tokio::task::AbortHandle;

use crate::{Settings, client};

const WITHIN: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Sees to it that the topic is there; ends with its handle.
pub(crate) struct Maker(AbortHandle);

impl Maker {
    /// Tries until it is there. `answered` is called each time that the brokers said something, good or bad.
    pub(crate) fn start(settings: &Settings, answered: impl Fn() + Send + Sync + 'static) -> Result<Self, KafkaError> {
        let client: AdminClient<DefaultClientContext> = client::config(settings).create()?;
        let (settings, answered) = (settings.clone(), Arc::new(answered));
        Ok(Self(tokio::spawn(make(client, settings, answered)).abort_handle()))
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn make(client: AdminClient<DefaultClientContext>, settings: Settings, answered: Arc<impl Fn() + Send + Sync>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let code = match create(&client, &settings).await {
            Ok(None) => return answered(),
            Ok(Some(code)) => {
                answered();
                code
            }
            Err(error) => {
                tracing::debug!(%error, topic = settings.topic, "the brokers do not answer yet");
                RDKafkaErrorCode::AllBrokersDown
            }
        };
        if is_forbidden(code) {
            tracing::warn!(%code, topic = settings.topic, "topics are not ours to create: it must be there");
            return;
        }
        if code != RDKafkaErrorCode::AllBrokersDown {
            tracing::warn!(%code, topic = settings.topic, "the topic cannot be created yet");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, PolicyViolation, TopicAuthorizationFailed};
    matches!(code, TopicAuthorizationFailed | ClusterAuthorizationFailed | PolicyViolation)
}

/// None when it is there, else why the brokers refuse.
async fn create(client: &AdminClient<DefaultClientContext>, settings: &Settings) -> Result<Option<RDKafkaErrorCode>, KafkaError> {
    // A record is acknowledged by two at least, if there are so many.
    let in_sync = if settings.replicas > 2 { "2" } else { "1" };
    let copies = TopicReplication::Fixed(i32::from(settings.replicas));
    let new = NewTopic::new(&settings.topic, i32::from(settings.partitions), copies)
        .set("min.insync.replicas", in_sync)
        .set("unclean.leader.election.enable", "false");
    let options = AdminOptions::new().request_timeout(Some(WITHIN)).operation_timeout(Some(WITHIN));
    for result in client.create_topics(&[new], &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Ok(Some(code)),
        }
    }
    Ok(None)
}
