use std::time::Duration;

use mynah_types::GatewayId;

/// Where the store is. An address is `redis://[user:password@]host:port/[database]`; a cluster has no databases. `rediss://` is the same over
/// TLS: the certificate's chain and the host's name are verified, always. Sentinels that are reached so name a master that is reached so too.
#[derive(Debug, Clone)]
pub enum Servers {
    /// One server.
    Single(String),
    /// The master that sentinels name, whichever it is.
    Sentinel {
        /// The sentinels' addresses.
        sentinels: Vec<String>,
        /// The name under which they know it.
        master: String,
    },
    /// Some nodes of a cluster: they name the others.
    Cluster(Vec<String>),
}

/// Where the store is, and its times. All processes of a deployment have the same prefix and times.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub servers: Servers,
    /// The PEM of the authorities whose certificates count, where addresses ask for TLS. None: the system's.
    pub authorities: Option<String>,
    /// The first part of each key: letters, digits, `-`, `_`, `:`; 1 to 64 of them.
    pub prefix: String,
    /// The gateway whose connections this process tells of. None: it only reads.
    pub gateway: Option<GatewayId>,
    /// Where others reach this gateway: host and port, without a space.
    pub address: String,
    /// The pause between two heartbeats, and the time within which an emptied store is whole again.
    pub heartbeat: Duration,
    /// How long a gateway counts as alive without a heartbeat; three heartbeats or more, and longer than a heartbeat and two calls. After the store was emptied, audiences are
    /// unknown for this long, since a gateway that was not heard of yet may be alive.
    pub lifetime: Duration,
    /// Each entry is written again once in this time, and forgotten when three of them passed without. An entry that was lost alone, as a
    /// server that evicts loses it, is found by that and by nothing else; whatever a server loses all at once is found by the heartbeat.
    pub sweep: Duration,
    /// How long a call may take before it fails.
    pub answer_within: Duration,
}

impl Settings {
    /// The settings of a production deployment.
    #[must_use]
    pub fn new(servers: Servers, gateway: Option<GatewayId>) -> Self {
        Self {
            servers,
            authorities: None,
            prefix: "mynah".to_owned(),
            gateway,
            address: String::new(),
            heartbeat: Duration::from_secs(1),
            lifetime: Duration::from_secs(5),
            sweep: Duration::from_secs(600),
            answer_within: Duration::from_secs(1),
        }
    }

    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
        let named = match &self.servers {
            Servers::Single(_) => true,
            Servers::Sentinel { sentinels: urls, .. } | Servers::Cluster(urls) => !urls.is_empty(),
        };
        let rules = [
            (named, "no server is named"),
            (
                (1..=64).contains(&self.prefix.len()) && self.prefix.chars().all(fits),
                "the prefix has another character or length",
            ),
            (!self.address.contains(char::is_whitespace), "the address has a space"),
            (!self.heartbeat.is_zero() && !self.answer_within.is_zero(), "a time is 0"),
            (self.lifetime >= self.heartbeat * 3, "the lifetime is below three heartbeats"),
            (self.lifetime >= self.heartbeat + self.answer_within * 2, "the lifetime is below a heartbeat and two calls"),
            (self.sweep >= self.lifetime, "the sweep is shorter than the lifetime"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, why)) => Err(InvalidSettings((*why).to_owned())),
            None => Ok(()),
        }
    }
}

/// Settings that no store can be opened with.
#[derive(Debug, thiserror::Error)]
#[error("presence settings: {0}")]
pub struct InvalidSettings(pub String);
