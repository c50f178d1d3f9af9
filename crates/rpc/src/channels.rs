//! Ways to processes: one channel an address, kept, that connects when it is used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig};

/// A connection that is not there by then is none.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// A peer is asked for a sign of life so often, and given so long for it.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));
/// Bytes that may be under way to a peer that has not read them.
const WINDOW: u32 = 4 << 20;
/// Addresses that are remembered; beyond it all are forgotten, and connect anew.
const MOST: usize = 4096;

/// Certificates of the inside: every process shows its own, and takes only those of the same authority.
#[derive(Debug, Clone)]
pub struct Tls {
    client: ClientTlsConfig,
    server: ServerTlsConfig,
}

/// The certificates do not serve.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {0}")]
pub struct TlsError(String);

impl Tls {
    /// From PEM texts: the authority, this process's certificate and its key. Every certificate names `name`.
    #[must_use]
    pub fn new(authority: &str, certificate: &str, key: &str, name: &str) -> Self {
        let authority = Certificate::from_pem(authority);
        let identity = Identity::from_pem(certificate, key);
        Self {
            client: ClientTlsConfig::new().ca_certificate(authority.clone()).identity(identity.clone()).domain_name(name),
            server: ServerTlsConfig::new().identity(identity).client_ca_root(authority),
        }
    }

    pub(crate) fn server(&self) -> ServerTlsConfig {
        self.server.clone()
    }
}

/// Channels by address. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Channels {
    tls: Option<Tls>,
    cache: Arc<Mutex<HashMap<String, Channel>>>,
}

impl Channels {
    /// None yet.
    ///
    /// # Errors
    /// When the certificates do not serve.
    pub fn new(tls: Option<Tls>) -> Result<Self, TlsError> {
        let channels = Self { tls, cache: Arc::default() };
        // Told at the start rather than at the first call.
        channels.endpoint("127.0.0.1:1").map_err(|error| TlsError(error.to_string()))?;
        Ok(channels)
    }

    /// The channel to `host:port`. None if that is no address.
    #[must_use]
    pub fn to(&self, address: &str) -> Option<Channel> {
        let mut cache = self.cache.lock();
        if let Some(channel) = cache.get(address) {
            return Some(channel.clone());
        }
        let channel = match self.endpoint(address) {
            Ok(endpoint) => endpoint.connect_lazy(),
            Err(error) => {
                tracing::warn!(%error, address, "no address of a service");
                return None;
            }
        };
        if cache.len() >= MOST {
            cache.clear();
        }
        cache.insert(address.to_owned(), channel.clone());
        Some(channel)
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, tonic::transport::Error> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        match &self.tls {
            Some(tls) => endpoint.tls_config(tls.client.clone()),
            None => Ok(endpoint),
        }
    }
}
