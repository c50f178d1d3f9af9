//! The gateways that can be reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mynah_ports::presence::{self, Audience};
use mynah_proto::GatewayClient;
use mynah_types::GatewayId;
use parking_lot::RwLock;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::link::{Bounds, Link};

/// Says which gateways are alive, with clients for them.
#[async_trait]
pub trait GatewayFinder: Send + Sync + 'static {
    /// All live gateways.
    ///
    /// # Errors
    /// A text for the log, when that cannot be known now.
    async fn live(&self) -> Result<Vec<(GatewayId, GatewayClient)>, String>;
}

/// Where gateways come from.
#[derive(Clone, Default)]
pub enum Gateways {
    /// There is none.
    #[default]
    None,
    /// The embedded shape: one, in this process.
    Single(GatewayId, GatewayClient),
    /// They come and go.
    Found {
        /// Asked for them.
        finder: Arc<dyn GatewayFinder>,
        /// How often, when nothing else asks.
        every: Duration,
    },
}

impl Gateways {
    /// The embedded shape: one gateway, in this process.
    #[must_use]
    pub fn single(id: GatewayId, client: GatewayClient) -> Self {
        Self::Single(id, client)
    }
}

/// Links to the live gateways.
pub(crate) struct Links {
    links: RwLock<BTreeMap<GatewayId, Arc<Link>>>,
    finder: Option<Arc<dyn GatewayFinder>>,
    bounds: Bounds,
    /// When the reading of the list began; one reader at a time.
    read_at: Mutex<Option<Instant>>,
}

impl Links {
    pub(crate) fn start(gateways: Gateways, bounds: Bounds) -> Arc<Self> {
        let (first, finder, every) = match gateways {
            Gateways::None => (None, None, Duration::ZERO),
            Gateways::Single(id, client) => (Some((id, Arc::new(Link::start(client, bounds)))), None, Duration::ZERO),
            Gateways::Found { finder, every } => (None, Some(finder), every),
        };
        let links = RwLock::new(first.into_iter().collect());
        let links = Arc::new(Self { links, finder, bounds, read_at: Mutex::default() });
        if links.finder.is_some() {
            let links = Arc::downgrade(&links);
            tokio::spawn(async move {
                while let Some(links) = links.upgrade() {
                    if let Err(error) = links.refresh(Instant::now()).await {
                        tracing::warn!(error, "the live gateways are not known anew");
                    }
                    drop(links);
                    tokio::time::sleep(every).await;
                }
            });
        }
        links
    }

    /// The links to an audience that was read before `since`. None if it cannot be known now to whom.
    pub(crate) async fn of(&self, audience: &Result<Audience, presence::Error>, since: Instant) -> Option<Vec<Arc<Link>>> {
        match audience {
            Ok(Audience::Known(ids)) => {
                let (links, unknown) = self.known(ids);
                if !unknown || self.finder.is_none() {
                    return Some(links);
                }
                // One that began after the list was read: without it a push would be lost in silence.
                self.refresh(since).await.ok()?;
                Some(self.known(ids).0)
            }
            Ok(Audience::Unknown) => {
                if self.finder.is_some() && self.refresh(since).await.is_err() && self.all().is_empty() {
                    return None;
                }
                Some(self.all())
            }
            // Whoever was alive when it was last known.
            Err(_) => Some(self.all()).filter(|all| self.finder.is_none() || !all.is_empty()),
        }
    }

    fn known(&self, ids: &[GatewayId]) -> (Vec<Arc<Link>>, bool) {
        let links = self.links.read();
        let found: Vec<_> = ids.iter().filter_map(|id| links.get(id).cloned()).collect();
        let unknown = found.len() < ids.len();
        (found, unknown)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.links.read().values().cloned().collect()
    }

    /// Reads the list, unless a reading began after `since`: whoever was in an audience before then is in that one.
    async fn refresh(&self, since: Instant) -> Result<(), String> {
        let Some(finder) = &self.finder else { return Ok(()) };
        let mut read_at = self.read_at.lock().await;
        if read_at.is_some_and(|at| at >= since) {
            return Ok(());
        }
        let began = Instant::now();
        let live: BTreeMap<_, _> = finder.live().await?.into_iter().collect();
        let ended: Vec<_> = {
            let mut links = self.links.write();
            let gone: Vec<GatewayId> = links.keys().filter(|id| !live.contains_key(id)).copied().collect();
            let ended = gone.iter().filter_map(|id| links.remove(id)).collect();
            for (id, client) in live {
                links.entry(id).or_insert_with(|| {
                    tracing::info!(gateway = %id, "a gateway came");
                    Arc::new(Link::start(client, self.bounds))
                });
            }
            ended
        };
        if !ended.is_empty() {
            tracing::info!(gateways = ended.len(), "gateways are gone");
        }
        drop(ended);
        *read_at = Some(began);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_presence_is_away_every_gateway_is_in_the_audience() {
        let gateways = Gateways::single(GatewayId(1), GatewayClient::late());
        let links = Links::start(gateways, Bounds { bytes: 1, within: Duration::from_secs(1) });
        let of = async |audience| links.of(&audience, Instant::now()).await.map(|links| links.len());
        assert_eq!(of(Ok(Audience::Known(Vec::new()))).await, Some(0));
        assert_eq!(of(Ok(Audience::Unknown)).await, Some(1));
        assert_eq!(of(Err(presence::Error::Unavailable(String::new()))).await, Some(1));
    }
}
