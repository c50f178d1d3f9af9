//! Bounds and times of a router.

use std::time::Duration;

use mynah_domain::conversation::Limits;

/// Settings of a router.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that run actors; 0 = as many as cores.
    pub arbiters: usize,
    /// Messages that may wait in an actor's mailbox; beyond it a request is refused as overloaded.
    pub mailbox: usize,
    /// Bounds inside an actor.
    pub limits: Limits,
    /// How long a feed keeps an event, in milliseconds.
    pub feed_age_ms: u64,
    /// An actor without work for this long is dropped.
    pub passivate_after: Duration,
    /// Appends that may wait for the log writer; beyond it actors wait, and their mailboxes fill.
    pub writer_queue: usize,
    /// Appends of one durable commit, and their bytes, about: what gathered while the log did not answer goes in several.
    pub commit_entries: usize,
    /// See above.
    pub commit_bytes: usize,
    /// After a slow commit more gathers for half as long as it took, at most so long: for a database that several routers share, where a
    /// commit costs nearly as much with one entry as with ten. None for a store of one's own.
    pub commit_rest: Duration,
    /// How long a decided entry may wait for its commit. After that it is decided again and gets a new time, since who lists by time
    /// reaches back by `SETTLES_WITHIN` of the message log only.
    pub commit_begins_within: Duration,
    /// Entries that may wait for delivery, per lane.
    pub delivery_queue: usize,
    /// Bytes of records that may wait for one gateway; beyond it devices catch up by seq.
    pub link_bytes: usize,
    /// How long a gateway may take to accept records before the call is made again.
    pub deliver_within: Duration,
    /// How often a shard's delivery progress is stored, at most.
    pub progress_every: Duration,
    /// How long a retryable failure asks the caller to wait.
    pub retry_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            arbiters: 0,
            mailbox: 512,
            limits: Limits::default(),
            feed_age_ms: 30 * 24 * 60 * 60 * 1000,
            passivate_after: Duration::from_secs(60),
            writer_queue: 4096,
            commit_entries: 4096,
            commit_bytes: 8 << 20,
            commit_rest: Duration::ZERO,
            commit_begins_within: Duration::from_secs(4),
            delivery_queue: 8192,
            link_bytes: 16 << 20,
            deliver_within: Duration::from_secs(5),
            progress_every: Duration::from_secs(1),
            retry_after: Duration::from_millis(200),
        }
    }
}
