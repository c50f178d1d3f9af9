//! Where the processes of a service are: names that are looked up again and again, since processes come and go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

/// How often names are looked up.
const EVERY: Duration = Duration::from_secs(2);

/// The addresses behind some names. Clones share them.
#[derive(Debug, Clone)]
pub struct Names {
    names: Arc<Vec<String>>,
    found: Arc<RwLock<BTreeSet<String>>>,
}

impl Names {
    /// Looks up `names`, each `host:port`, now and then again. Must run inside a tokio runtime; ends with the last clone.
    #[must_use]
    pub fn watch(names: Vec<String>) -> Self {
        // An address needs no looking up: it serves at once.
        let plain = names.iter().filter(|name| name.parse::<std::net::SocketAddr>().is_ok()).cloned().collect();
        let watched = Self { names: Arc::new(names), found: Arc::new(RwLock::new(plain)) };
        let found = Arc::downgrade(&watched.found);
        let names = Arc::clone(&watched.names);
        tokio::spawn(async move {
            while let Some(found) = found.upgrade() {
                look_up(&names, &found).await;
                drop(found);
                tokio::time::sleep(EVERY).await;
            }
        });
        watched
    }

    /// What was found last.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.found.read().iter().cloned().collect()
    }
}

async fn look_up(names: &[String], found: &RwLock<BTreeSet<String>>) {
    let mut now = BTreeSet::new();
    for name in names {
        match tokio::net::lookup_host(name.as_str()).await {
            Ok(addresses) => now.extend(addresses.map(|address| address.to_string())),
            Err(error) => tracing::warn!(%error, name, "no address"),
        }
    }
    // While the name service is away, what it said last holds.
    if !now.is_empty() {
        *found.write() = now;
    }
}
