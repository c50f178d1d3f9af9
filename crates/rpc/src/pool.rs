//! Any replica of a service.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mynah_proto::{Replicas, Try};
use mynah_types::{Clock, Millis};
use parking_lot::Mutex;

use crate::{Channels, Names};

/// How long a replica that did not answer is tried last.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

/// The replicas behind some names, in turn.
pub struct Pool {
    names: Names,
    channels: Channels,
    within: Duration,
    clock: Arc<dyn Clock>,
    turn: AtomicUsize,
    failed: Mutex<HashMap<String, Instant>>,
}

impl Pool {
    /// Calls take `within` at most, all tries together; `clock` tells the replicas when that is over.
    #[must_use]
    pub fn new(names: Names, channels: Channels, within: Duration, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { names, channels, within, clock, turn: AtomicUsize::new(0), failed: Mutex::default() })
    }

    fn is_avoided(&self, address: &str) -> bool {
        self.failed.lock().get(address).is_some_and(|at| at.elapsed() < AVOIDED_FOR)
    }
}

impl Replicas for Pool {
    fn next(&self, tried: &[String]) -> Option<Try> {
        let mut addresses = self.names.addresses();
        if addresses.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
        addresses.rotate_left(turn);
        // In this order of wishes; the sort keeps the turn among equals.
        addresses.sort_by_key(|address| (tried.iter().filter(|t| *t == address).count(), self.is_avoided(address)));
        let address = addresses.into_iter().next()?;
        let channel = self.channels.to(&address)?;
        Some(Try { address, channel })
    }

    fn failed(&self, address: &str) {
        let mut failed = self.failed.lock();
        failed.retain(|_, at| at.elapsed() < AVOIDED_FOR);
        failed.insert(address.to_owned(), Instant::now());
    }

    fn within(&self) -> Duration {
        self.within
    }

    fn now_ms(&self) -> Option<Millis> {
        self.clock.is_certain().then(|| self.clock.now_ms())
    }
}
