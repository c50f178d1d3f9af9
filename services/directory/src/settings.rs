//! Costs, lifetimes and bounds of the service.

use std::time::Duration;

/// What can be set. The defaults serve; tests set their own.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This process among several on one store: a number of its own, another one at each start, below 2^63. 0: it is alone.
    pub process: u64,
    /// Memory of one password hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of one password hash.
    pub argon2_iterations: u32,
    /// Hashes that run at one time.
    pub hashing_threads: usize,
    /// Logins and password changes that may wait for a hash. Full: refused as overloaded.
    pub hashing_queue: usize,
    /// Registration calls that may be under way. Full: refused as overloaded.
    pub registrations: usize,
    /// A session ends when it was not used for so long, in milliseconds.
    pub session_lifetime_ms: u64,
    /// A session's last use is noted at most once in so many milliseconds.
    pub session_touch_ms: u64,
    /// A web signature is good for so long before and after its timestamp, in milliseconds.
    pub signature_validity_ms: u64,
    /// Web signatures that the store remembers against replay. Full: refused as overloaded.
    pub signatures_remembered: u32,
    /// An address of an uploaded file is good for so long, in milliseconds.
    pub media_lifetime_ms: u64,
    /// Minutes east of UTC: where days begin.
    pub zone_minutes: i32,
    /// How long a call waits for the router or the gateways, and for another call on the same group.
    pub handover_deadline: Duration,
    /// The outbox waits so long after a failure, doubling up to [`Settings::outbox_backoff_max`].
    pub outbox_backoff_min: Duration,
    /// See [`Settings::outbox_backoff_min`].
    pub outbox_backoff_max: Duration,
    /// The outbox looks at the store so often when nothing wakes it.
    pub outbox_poll: Duration,
    /// How often apps are looked at for one that was disabled.
    pub app_poll: Duration,
    /// An app is read again after so long.
    pub app_cache: Duration,
    /// Users kept in memory. 0 where several processes serve one store: they see one another's changes at once.
    pub cached_users: usize,
    /// Groups and chatrooms kept in memory. 0 where several processes serve one store, as with users.
    pub cached_rosters: usize,
}

const HOUR_MS: u64 = 60 * 60 * 1000;

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            process: 0,
            argon2_memory_kib: 19_456,
            argon2_iterations: 2,
            hashing_threads: (cores / 2).max(1),
            hashing_queue: 256,
            registrations: 32,
            session_lifetime_ms: 30 * 24 * HOUR_MS,
            session_touch_ms: HOUR_MS,
            signature_validity_ms: 10 * 60 * 1000,
            signatures_remembered: 100_000,
            media_lifetime_ms: HOUR_MS,
            zone_minutes: 8 * 60,
            handover_deadline: Duration::from_secs(3),
            outbox_backoff_min: Duration::from_millis(100),
            outbox_backoff_max: Duration::from_secs(10),
            outbox_poll: Duration::from_secs(5),
            app_poll: Duration::from_millis(400),
            app_cache: Duration::from_millis(400),
            cached_users: 100_000,
            cached_rosters: 20_000,
        }
    }
}

impl Settings {
    /// A call that makes something is answered this long after it began, whatever comes of it.
    pub(crate) fn answered_within(&self) -> Duration {
        self.handover_deadline * 3
    }

    /// What another process began is over by now: its calls are answered, its words have arrived or are lost. Clocks may differ by a
    /// deadline.
    pub(crate) fn over_after_ms(&self) -> u64 {
        u64::try_from((self.handover_deadline * 4).as_millis()).unwrap_or(u64::MAX)
    }

    /// A process keeps its turn for so long without a sign of life.
    pub(crate) fn turn(&self) -> Duration {
        self.outbox_backoff_max.max(self.outbox_poll) * 3
    }
}
