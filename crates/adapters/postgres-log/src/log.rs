//! Opening, and the trait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mynah_ports::message_log::{Error, Location, Logged, MessageLog, Span};
use mynah_types::{
    Appended, Claim, Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, Position, Seq, ShardAppend, ShardId,
    Tail, Uid,
};

use crate::pool::Pool;
use crate::{append, claim, read, schema};

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections for appends: as many are under way at once.
    pub writers: usize,
    /// Connections for reads and claims.
    pub readers: usize,
    /// How long an answer may take: a connection, then a statement. What takes longer is unavailable, or of unknown outcome.
    pub within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { writers: 4, readers: 8, within: Duration::from_secs(5) }
    }
}

/// Why a log does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address does not read.
    #[error("the message log's address: {0}")]
    Address(String),
    /// The server is not reachable or refuses. Try again later.
    #[error("the message log is unavailable: {0}")]
    Unavailable(String),
    /// A newer program has been here.
    #[error("the message log has schema {found}, made by a newer version; this one knows {known}")]
    Newer {
        /// The schema's version.
        found: i32,
        /// The newest version that this program knows.
        known: usize,
    },
    /// Made for another number of shards, or in a database of another encoding.
    #[error("the message log has {found}, this program needs {needed}")]
    Format {
        /// What is there.
        found: String,
        /// What would be right.
        needed: String,
    },
}

struct Inner {
    writers: Pool,
    readers: Pool,
    log_epoch: String,
}

/// The message log on PostgreSQL.
#[derive(Clone)]
pub struct PostgresLog(Arc<Inner>);

impl PostgresLog {
    /// Opens the log of a database, e.g. `postgres://user:password@host/database`, and brings its schema up to date.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str, options: &Options) -> Result<Self, OpenError> {
        let config = url.parse().map_err(|error: tokio_postgres::Error| OpenError::Address(crate::pool::text(&error)))?;
        let pool = |size| Pool::new(&config, size, options.within).map_err(|error| OpenError::Unavailable(error.to_string()));
        let (writers, readers) = (pool(options.writers)?, pool(options.readers)?);
        let log_epoch = schema::open(&readers).await?;
        Ok(Self(Arc::new(Inner { writers, readers, log_epoch })))
    }
}

#[async_trait]
impl MessageLog for PostgresLog {
    fn log_epoch(&self) -> String {
        self.0.log_epoch.clone()
    }

    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        claim::claim(&self.0.readers, shards).await
    }

    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        let pool = self.0.writers.clone();
        let unknown: Vec<_> = batch.iter().map(|s| vec![Appended::Unknown; s.conversations.len()]).collect();
        // A task of its own, so that it goes on when nobody waits for it any more.
        tokio::spawn(async move { append::append(&pool, &batch).await }).await.unwrap_or(unknown)
    }

    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
        read::load(&self.0.readers, key, recent).await
    }

    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
        read::heads(&self.0.readers, keys).await
    }

    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
        read::entries(&self.0.readers, key, span).await
    }

    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
        read::at(&self.0.readers, places).await
    }

    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error> {
        read::find_send(&self.0.readers, key, sender, cmid.as_str()).await
    }

    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error> {
        read::find_message(&self.0.readers, id).await
    }

    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
        read::members(&self.0.readers, key).await
    }

    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
        read::member(&self.0.readers, key, uid).await
    }

    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
        read::position(&self.0.readers, key, uid).await
    }

    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
        read::retracted_unread(&self.0.readers, key, floor, to).await
    }

    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
        read::hidden(&self.0.readers, key, uid).await
    }

    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error> {
        read::single_chats(&self.0.readers, uid, after, limit).await
    }

    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
        read::since(&self.0.readers, shard, after, limit).await
    }
}
