//! What operators see of a topic. All are labelled with it.

use metrics::{Counter, Gauge, counter, gauge};

pub(crate) struct Counts {
    /// Records that the brokers confirmed in time.
    pub(crate) published: Counter,
    /// Records that were answered with an error.
    pub(crate) publish_failures: Counter,
    /// Records that were read, repeated ones as well.
    pub(crate) read: Counter,
    /// Times that positions were sent to the brokers.
    pub(crate) commits: Counter,
    /// Times that they did not take them; these are sent again.
    pub(crate) commit_failures: Counter,
    /// Records of this worker's partitions that are not committed.
    pub(crate) lag: Gauge,
}

impl Counts {
    pub(crate) fn new(topic: &str) -> Self {
        let topic = topic.to_owned();
        Self {
            published: counter!("mynah_bus_published_total", "topic" => topic.clone()),
            publish_failures: counter!("mynah_bus_publish_failures_total", "topic" => topic.clone()),
            read: counter!("mynah_bus_read_total", "topic" => topic.clone()),
            commits: counter!("mynah_bus_commits_total", "topic" => topic.clone()),
            commit_failures: counter!("mynah_bus_commit_failures_total", "topic" => topic.clone()),
            lag: gauge!("mynah_bus_lag_records", "topic" => topic),
        }
    }
}
