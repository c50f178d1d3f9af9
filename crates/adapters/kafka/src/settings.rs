//! What a bus on Kafka is told.

use std::time::Duration;

/// Where the bus is, and its bounds. [`Settings::new`] gives what a deployment wants.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Some brokers of the cluster: `host:port`, separated by commas.
    pub brokers: String,
    /// The topic that carries the records. It is created if it is not there.
    pub topic: String,
    /// Partitions of a topic that is created: the most workers that can share it. More of them later would move conversations to others
    /// while records of them are under way.
    pub partitions: u16,
    /// Copies of each record in a topic that is created: 3 where a record must outlive a broker.
    pub replicas: u8,
    /// The workers of one group share the partitions of the topic.
    pub group: String,
    /// How long `publish` waits, all told, before it says that the bus is unavailable.
    pub acknowledged_within: Duration,
    /// How long an unconfirmed record is kept and tried, after `publish` gave up on it as well.
    pub kept_for: Duration,
    /// Bound of what is on its way to the brokers, in KiB; each record counts as one at least.
    pub in_flight_kib: u32,
    /// Bound of what was read and not handed over yet, in records.
    pub read_ahead: usize,
    /// The same in KiB; the last record that was read may be above it.
    pub read_ahead_kib: usize,
    /// A worker that is silent for so long is dead, and its partitions go to others.
    pub session: Duration,
    /// A worker whose polling stands still for so long is put out. Handing records over never makes it stand still.
    pub polls_within: Duration,
    /// How long partitions that go to another worker wait until the records of them that are in hand are handled.
    pub hands_over_within: Duration,
}

impl Settings {
    /// The usual bounds.
    #[must_use]
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            partitions: 32,
            replicas: 3,
            group: group.into(),
            acknowledged_within: Duration::from_secs(1),
            kept_for: Duration::from_secs(60),
            in_flight_kib: 16 * 1024,
            read_ahead: 4096,
            read_ahead_kib: 16 * 1024,
            session: Duration::from_secs(10),
            polls_within: Duration::from_secs(60),
            hands_over_within: Duration::from_secs(5),
        }
    }
}
