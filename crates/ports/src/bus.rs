//! The bus: carries fan-out records of groups and chatrooms from actors to fan-out workers.

use async_trait::async_trait;
use mynah_types::{ConversationKey, Entry, MemberChange};

/// One entry on its way to the gateways of an audience.
#[derive(Debug, Clone)]
pub struct FanoutRecord {
    /// The conversation: records of one conversation keep their order.
    pub key: ConversationKey,
    /// The entry, with its msg_id.
    pub entry: Entry,
    /// What it does to the membership.
    pub change: MemberChange,
    /// The sender's connection, which has the ack instead; 0 for none.
    pub origin_conn: u64,
    /// The W3C trace context (`traceparent`) that it came about in; passed through as it is.
    pub traceparent: Option<Box<str>>,
}

/// Says that records were handled. Dropped without a word, it leaves them to whoever comes after this worker.
pub struct Receipt(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Receipt {
    /// Does `done` when the records are handled.
    #[must_use]
    pub fn new(done: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    /// For a bus that does not need to know.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// They are.
    pub fn handled(self) {
        if let Some(done) = self.0 {
            done();
        }
    }
}

/// Why the bus did not take a record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not reachable, or no acknowledgement in time: the record takes the direct path.
    #[error("bus unavailable: {0}")]
    Unavailable(String),
}

/// Carries records. At least once, in order per conversation.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Hands a record over; when this returns, it will reach a worker even if this process dies (distributed) or until it does (embedded).
    /// A full queue makes the caller wait. After an error the record may still arrive, late: receivers drop what they have by msg_id.
    async fn publish(&self, record: FanoutRecord) -> Result<(), Error>;

    /// Whether a record that was taken outlives this process: then the bus sees to the rest.
    fn keeps(&self) -> bool;

    /// The next records of the partitions of this worker: at least one, at most `max`. None when the bus is closed.
    /// Records count as handled at the next call, unless they are held.
    async fn next(&self, max: usize) -> Option<Vec<FanoutRecord>>;

    /// What the last [`Bus::next`] gave counts as handled when the receipt says so, and later records may be handled before it.
    fn hold(&self) -> Receipt;
}
