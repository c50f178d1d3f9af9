//! Where connections come from, in the clear or over TLS as the addresses say.

use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, RedisResult};
use redis::{TlsCertificates, TlsMode};

use crate::link::Connection;
use crate::settings::{InvalidSettings, Servers, Settings};

/// Calls that may wait for their turn to be written.
const QUEUE: usize = 1024;
/// The longest pause before a cluster's node is asked again, ms.
const RETRY_WAIT: u64 = 100;

/// Where connections come from.
pub(crate) enum Source {
    Single(Box<Client>),
    Sentinel(Box<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

impl Source {
    pub(crate) fn new(settings: &Settings) -> Result<Self, InvalidSettings> {
        let urls = match &settings.servers {
            Servers::Single(url) => std::slice::from_ref(url),
            Servers::Sentinel { sentinels: urls, .. } | Servers::Cluster(urls) => urls,
        };
        let refused = |error: RedisError| InvalidSettings(error.to_string());
        let places: Vec<ConnectionInfo> =
            urls.iter().map(|url| url.as_str().into_connection_info()).collect::<RedisResult<_>>().map_err(refused)?;
        let certificates = tls(&places)?.then(|| TlsCertificates {
            client_tls: None,
            root_cert: settings.authorities.as_ref().map(|pem| pem.clone().into_bytes()),
        });
        if certificates.is_some() {
            // The client takes the process's provider. One that it has stays.
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        Self::build(settings, places, certificates).map_err(refused)
    }

    fn build(settings: &Settings, places: Vec<ConnectionInfo>, certificates: Option<TlsCertificates>) -> RedisResult<Self> {
        Ok(match (&settings.servers, certificates) {
            (Servers::Single(url), None) => Self::Single(Box::new(Client::open(url.as_str())?)),
            (Servers::Single(url), Some(certificates)) => {
                Self::Single(Box::new(Client::build_with_tls(url.as_str(), certificates)?))
            }
            (Servers::Sentinel { master, .. }, None) => {
                Self::Sentinel(Box::new(SentinelClient::build(places, master, None, SentinelServerType::Master)?))
            }
            (Servers::Sentinel { master, .. }, Some(certificates)) => {
                Self::Sentinel(Box::new(sentinel_over_tls(&places, master, &certificates)?))
            }
            (Servers::Cluster(_), certificates) => {
                // A node without an answer is left to the bound of the call: the client would look for it while all else waits. For the
                // same reason it may not take long to connect.
                let within = settings.answer_within;
                let builder = ClusterClient::builder(places).connection_timeout(within / 5).response_timeout(within * 60);
                let builder = builder.retries(2).min_retry_wait(1).max_retry_wait(RETRY_WAIT);
                let builder = certificates.into_iter().fold(builder, redis::cluster::ClusterClientBuilder::certs);
                Self::Cluster(Box::new(builder.build()?))
            }
        })
    }

    pub(crate) async fn connect(&mut self, within: Duration) -> RedisResult<Connection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(within)).set_response_timeout(Some(within));
        let config = config.set_pipeline_buffer_size(QUEUE);
        match self {
            Self::Single(client) => client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One),
            Self::Sentinel(client) => client.get_async_connection_with_config(&config).await.map(Connection::One),
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

/// Whether the servers are reached over TLS: all of them, or none.
fn tls(places: &[ConnectionInfo]) -> Result<bool, InvalidSettings> {
    let mut encrypted = places.iter().map(|place| matches!(place.addr(), ConnectionAddr::TcpTls { .. }));
    let first = encrypted.next().unwrap_or_default();
    if encrypted.any(|other| other != first) {
        return Err(InvalidSettings("rediss:// for all addresses, or for none".to_owned()));
    }
    if places.iter().any(|place| matches!(place.addr(), ConnectionAddr::TcpTls { insecure: true, .. })) {
        return Err(InvalidSettings("#insecure in an address: certificates are verified always".to_owned()));
    }
    Ok(first)
}

/// Sentinels over TLS, and the master that they name too.
fn sentinel_over_tls(places: &[ConnectionInfo], master: &str, certificates: &TlsCertificates) -> RedisResult<SentinelClient> {
    let addresses = places.iter().map(|place| place.addr().clone());
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?;
    builder = builder.set_client_to_sentinel_certificates(certificates.clone());
    builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_redis_certificates(certificates.clone());
    // One name and password for all sentinels.
    if let Some(told) = places.first().map(ConnectionInfo::redis_settings) {
        builder = told.username().into_iter().fold(builder, SentinelClientBuilder::set_client_to_sentinel_username);
        builder = told.password().into_iter().fold(builder, SentinelClientBuilder::set_client_to_sentinel_password);
    }
    builder.build()
}
