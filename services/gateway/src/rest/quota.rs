//! How much an app may ask, and a sender send, in a window of time.

use std::collections::HashMap;
use std::hash::Hash;

use http::{HeaderMap, HeaderValue};
use mynah_types::Millis;
use parking_lot::Mutex;

use super::refusal::Refusal;

/// Keys that are counted at one time; beyond it those whose window is over are forgotten, and if none is, all are.
const MOST: usize = 100_000;

/// The counts of a gateway.
pub(crate) struct Quotas {
    window_ms: Millis,
    apps: Counts<u64>,
    senders: Counts<(u64, u64)>,
}

struct Counts<K> {
    /// 0: no limit.
    limit: u32,
    windows: Mutex<HashMap<K, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    began: Millis,
    used: u32,
}

/// Where a caller stands in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    limit: u32,
    remaining: u32,
    reset_ms: Millis,
    exceeded: bool,
}

impl Quotas {
    pub(crate) fn new(per_app: u32, per_sender: u32, window_ms: Millis) -> Self {
        let window_ms = window_ms.max(1);
        let counts = |limit| Counts { limit, windows: Mutex::default() };
        Self { window_ms, apps: counts(per_app), senders: Counts { limit: per_sender, windows: Mutex::default() } }
    }

    /// Counts a request of an app. None: apps are not limited.
    pub(crate) fn request(&self, app_id: u64, now: Millis) -> Option<Quota> {
        self.apps.take(app_id, now, self.window_ms)
    }

    /// Counts a message of a sender.
    pub(crate) fn message(&self, app_id: u64, uid: u64, now: Millis) -> Result<(), Refusal> {
        self.senders.take((app_id, uid), now, self.window_ms).map_or(Ok(()), Quota::check)
    }
}

impl<K: Hash + Eq> Counts<K> {
    fn take(&self, key: K, now: Millis, length: Millis) -> Option<Quota> {
        if self.limit == 0 {
            return None;
        }
        let began = now - now % length;
        let mut windows = self.windows.lock();
        if windows.len() >= MOST && !windows.contains_key(&key) {
            windows.retain(|_, window| window.began == began);
            if windows.len() >= MOST {
                windows.clear();
            }
        }
        let window = windows.entry(key).or_insert(Window { began, used: 0 });
        if window.began != began {
            *window = Window { began, used: 0 };
        }
        let exceeded = window.used >= self.limit;
        if !exceeded {
            window.used += 1;
        }
        Some(Quota { limit: self.limit, remaining: self.limit - window.used, reset_ms: began + length - now, exceeded })
    }
}

impl Quota {
    pub(crate) fn check(self) -> Result<(), Refusal> {
        if !self.exceeded {
            return Ok(());
        }
        metrics::counter!("mynah_rest_rate_limited_total").increment(1);
        let wait = u32::try_from(self.reset_ms).unwrap_or(u32::MAX);
        Err(Refusal { retry_after_ms: wait, ..Refusal::new(429, 800_017, "beyond the frequency limit") })
    }

    /// What clients of the hosted service read: all three, or none.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert("X-Rate-Limit-Limit", HeaderValue::from(self.limit));
        headers.insert("X-Rate-Limit-Remaining", HeaderValue::from(self.remaining));
        headers.insert("X-Rate-Limit-Reset", HeaderValue::from(self.reset_ms.div_ceil(1000)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_has_its_window_and_a_new_one_after_it() {
        let quotas = Quotas::new(2, 0, 60_000);
        let left = |app, now| {
            let quota = quotas.request(app, now).unwrap();
            (quota.check().is_ok(), quota.remaining, quota.reset_ms)
        };
        assert_eq!(left(1, 60_000), (true, 1, 60_000));
        assert_eq!(left(1, 90_000), (true, 0, 30_000));
        assert_eq!(left(1, 119_999), (false, 0, 1));
        assert_eq!(left(2, 119_999), (true, 1, 1), "another app has its own");
        assert_eq!(left(1, 120_000), (true, 1, 60_000));
        assert!((0..1000).all(|_| quotas.message(1, 7, 0).is_ok()), "senders are not limited");
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let counts = Counts { limit: 1, windows: Mutex::default() };
        for key in 0..3 * MOST {
            counts.take(key, 1, 60_000);
        }
        assert!(counts.windows.lock().len() <= MOST);
    }
}
