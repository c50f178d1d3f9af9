//! Opening, and the trait.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use mynah_ports::message_log::{Error, Location, Logged, MessageLog, Span};
use mynah_ports::shard_leases::Member;
use mynah_postgres_tls::Address;
use mynah_types::{
    Appended, Claim, Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, Millis, MsgId, Position, Seq, ShardAppend,
    ShardId, ShardRange, Tail, Uid,
};

use crate::claim::Claims;
use crate::pool::{Gate, Pool};
use crate::schema::{Found, Migrated, Note, Opened};
use crate::{append, claim, late, read, schema};

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections for appends: as many are under way at once.
    pub writers: usize,
    /// Connections for reads.
    pub readers: usize,
    /// How long an answer may take: a connection, then a statement. What takes longer is unavailable, or of unknown outcome. An append of
    /// anybody's that the server has not ended after that loses its session: all processes of a log have the same bound.
    pub within: Duration,
    /// The same for heartbeats and the list of routers: well below a lease, so that there is time to try again.
    pub lease_within: Duration,
    /// The PEM of the authorities whose certificates count, where the address asks for TLS. None: the system's.
    pub authorities: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        let (within, lease_within) = (Duration::from_secs(5), Duration::from_secs(1));
        Self { writers: 4, readers: 8, within, lease_within, authorities: None }
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
    /// It has other shards than the settings say, or does not belong to the other databases. Nothing was written.
    #[error("the message log's database of shards {shards} {found}")]
    Misplaced {
        /// What the settings say.
        shards: ShardRange,
        /// What it is.
        found: String,
    },
}

const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const SYNC_REPLICAS: &str =
    "SELECT count(*)::integer FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')";

/// Connections for what a conversation is decided and delivered by: nobody's reading holds that up.
const LOADS: usize = 4;
/// Connections for claims, which may wait for appends.
const CLAIMS: usize = 2;
/// Connections for heartbeats, the list of routers, and the help that claims need: nothing that waits.
const LEASES: usize = 4;

pub(crate) struct Inner {
    writers: Pool,
    readers: Pool,
    loads: Pool,
    claims: Pool,
    pub(crate) leases: Pool,
    pub(crate) within: Duration,
    log_epoch: RwLock<String>,
    migrated: OnceLock<Migrated>,
    shards: ShardRange,
    gate: Gate,
}

/// The message log on PostgreSQL, and the leases of those who share it.
#[derive(Clone)]
pub struct PostgresLog {
    inner: Arc<Inner>,
    owner: Option<Member>,
}

impl PostgresLog {
    /// Opens the log of a database that has all shards, e.g. `postgres://user:password@host/database`, and brings its schema up to date.
    /// With `?sslmode=verify-full` its connections are encrypted, see [`Address::read`].
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str, options: &Options) -> Result<Self, OpenError> {
        let log = Self::shut(url, ShardRange::ALL, options)?;
        log.enter(None).await?;
        Ok(log)
    }

    /// The log of a database that nobody has looked at: it answers nothing yet.
    pub(crate) fn shut(url: &str, shards: ShardRange, options: &Options) -> Result<Self, OpenError> {
        let address = Address::read(url, options.authorities.as_deref());
        let address = address.map_err(|error| OpenError::Address(error.to_string()))?;
        let gate = Gate::default();
        let pool =
            |size, within| Pool::new(&address, size, within, &gate).map_err(|error| OpenError::Unavailable(error.to_string()));
        let (writers, readers) = (pool(options.writers, options.within)?, pool(options.readers, options.within)?);
        let loads = pool(LOADS, options.within)?;
        let (claims, leases) = (pool(CLAIMS, options.within)?, pool(LEASES, options.lease_within)?);
        let inner = Inner {
            writers,
            readers,
            loads,
            claims,
            leases,
            within: options.within,
            log_epoch: RwLock::default(),
            migrated: OnceLock::new(),
            shards,
            gate,
        };
        Ok(Self { inner: Arc::new(inner), owner: None })
    }

    pub(crate) async fn look(&self) -> Result<Found, OpenError> {
        schema::look(&self.inner.readers).await
    }

    /// Brings the schema up to date, and answers from then on.
    pub(crate) async fn enter(&self, set: Option<&str>) -> Result<Opened, OpenError> {
        let opened = schema::open(&self.inner.readers, self.inner.shards, set).await?;
        self.remember(&opened.identity);
        // Entered once.
        _ = self.inner.migrated.set(opened.migrated);
        if self.inner.gate.set(()).is_ok() {
            tokio::spawn(late::watch(Arc::downgrade(&self.inner)));
        }
        Ok(opened)
    }

    /// The identity by which it is known while it does not answer.
    pub(crate) fn remember(&self, identity: &str) {
        identity.clone_into(&mut self.inner.log_epoch.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) async fn note(&self, notes: &[Note]) -> Result<(), OpenError> {
        schema::note(&self.inner.readers, notes).await
    }

    /// What opening did to the schema; none before the database was there.
    #[must_use]
    pub fn migrated(&self) -> Option<Migrated> {
        self.inner.migrated.get().copied()
    }

    /// The shards that the database has.
    #[must_use]
    pub fn range(&self) -> ShardRange {
        self.inner.shards
    }

    /// The same log in the hands of a router that shares it: [`MessageLog::claim`] takes only what the router may have, and leaves the
    /// rest out. Without an owner it takes everything from everybody, which is for one process alone.
    #[must_use]
    pub fn owned_by(&self, member: Member) -> Self {
        Self { inner: Arc::clone(&self.inner), owner: Some(member) }
    }

    /// Synchronous replicas that the database has now: what it acknowledges is on so many other machines. The role needs `pg_monitor`
    /// to see them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sync_replicas(&self) -> Result<u32, Error> {
        let counted = self.inner.leases.repeat(SYNC_REPLICAS, &[]).await?;
        Ok(counted.first().map_or(0, |row| row.get::<_, i32>(0).unsigned_abs()))
    }

    /// The server's clock.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now_ms(&self) -> Result<Millis, Error> {
        let told = self.inner.leases.repeat(NOW, &[]).await?;
        Ok(told.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
    }

    pub(crate) fn leases(&self) -> &Pool {
        &self.inner.leases
    }

    pub(crate) fn claims(&self) -> Claims<'_> {
        Claims { pool: &self.inner.claims, helpers: &self.inner.leases, log_epoch: &self.inner.log_epoch }
    }
}

#[async_trait]
impl MessageLog for PostgresLog {
    fn log_epoch(&self) -> String {
        self.inner.log_epoch.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        match self.owner {
            Some(member) => claim::claim_for(self.claims(), member, shards).await,
            None => claim::claim(self.claims(), shards).await,
        }
    }

    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        let pool = self.inner.writers.clone();
        let unknown: Vec<_> = batch.iter().map(|s| vec![Appended::Unknown; s.conversations.len()]).collect();
        // A task of its own, so that it goes on when nobody waits for it any more.
        tokio::spawn(async move { append::append(&pool, &batch).await }).await.unwrap_or(unknown)
    }

    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
        read::load(&self.inner.loads, key, recent).await
    }

    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
        read::heads(&self.inner.readers, keys).await
    }

    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
        read::entries(&self.inner.readers, key, span).await
    }

    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
        read::at(&self.inner.readers, places).await
    }

    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error> {
        read::find_send(&self.inner.loads, key, sender, cmid.as_str()).await
    }

    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error> {
        read::find_message(&self.inner.readers, id).await
    }

    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
        read::members(&self.inner.loads, key).await
    }

    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
        read::member(&self.inner.readers, key, uid).await
    }

    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
        read::position(&self.inner.readers, key, uid).await
    }

    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
        read::retracted_unread(&self.inner.readers, key, floor, to).await
    }

    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
        read::hidden(&self.inner.readers, key, uid).await
    }

    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error> {
        read::single_chats(&self.inner.readers, uid, after, limit).await
    }

    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
        read::since(&self.inner.loads, shard, after, limit).await
    }

    async fn under_way(&self) -> Result<Duration, Error> {
        late::under_way(&self.inner.leases).await
    }
}
