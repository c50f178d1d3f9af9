//! What a bus on Kafka is told.

use std::fmt;
use std::time::Duration;

/// Where the bus is, and its bounds. [`Settings::new`] gives what a deployment wants.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Some brokers of the cluster: `host:port`, separated by commas.
    pub brokers: String,
    /// How connections to them are protected.
    pub security: Security,
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
            security: Security::default(),
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

/// How connections to brokers are protected. By default they are not.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// Over TLS: the certificate's chain and the host's name are verified, always.
    pub tls: bool,
    /// The PEM of the authorities whose certificates count. None: the system's.
    pub authorities: Option<String>,
    /// Who we are, if brokers ask (SASL).
    pub login: Option<Login>,
}

/// Who we are.
#[derive(Clone)]
pub struct Login {
    /// How it is proven.
    pub mechanism: Mechanism,
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

/// How a name is proven to brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password is sent as it is: over TLS only the broker reads it.
    Plain,
    /// The password is proven without being sent.
    ScramSha256,
    /// The same with a longer digest.
    ScramSha512,
}
