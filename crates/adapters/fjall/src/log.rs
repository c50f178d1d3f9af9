//! Opening, claiming, and the trait.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, PersistMode};
use mynah_ports::message_log::{APPEND_WITHIN, Error, Location, Logged, MessageLog, Span};
use mynah_types::{
    Appended, Claim, Clock, Cmid, ConversationKey, Entry, FirstAnswer, Hidden, Membership, MsgId, OwnerToken, Position, Progress,
    SHARDS, Seq, ShardAppend, ShardId, SystemClock, Tail, Uid,
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::Notify;

use crate::mark::Mark;
use crate::{append, codec, engine, keys, read};

const FORMAT_VERSION: u32 = 2;

/// How a log is opened.
#[derive(Clone)]
pub struct Options {
    /// Gives msg_id counters their floor, so that no id is given twice whatever happened to the files.
    pub clock: Arc<dyn Clock>,
    /// Bytes of the block cache.
    pub cache_bytes: u64,
    /// How long an append may take. After that the store counts as failed: what it may still write is not to be passed by a cursor.
    pub append_within: Duration,
    /// Open even if durable commits are missing. The log gets a new epoch, so that devices start anew.
    pub accept_loss: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), cache_bytes: 32 << 20, append_within: APPEND_WITHIN, accept_loss: false }
    }
}

/// Why a log does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine refuses: damage, a full disk, rights.
    #[error("the message log in {path} does not open: {source}")]
    Engine {
        /// Its folder.
        path: String,
        /// What the engine says.
        source: fjall::Error,
    },
    /// Written by another version, or with another number of shards.
    #[error("the message log in {path} has {found}, this program needs {needed}")]
    Format {
        /// Its folder.
        path: String,
        /// What is there.
        found: String,
        /// What would be right.
        needed: String,
    },
    /// Commits that were durable are not there.
    #[error("the message log in {path} has lost its last {missing} commits: restore it, or accept the loss")]
    Lost {
        /// Its folder.
        path: String,
        /// How many.
        missing: u64,
    },
    /// The mark beside the log is not to be had.
    #[error("{path}.mark: {source}")]
    Mark {
        /// The log's folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Stored data contradicts itself.
    #[error("the message log in {path} is damaged: {source}")]
    Damaged {
        /// Its folder.
        path: String,
        /// What does not read.
        source: Error,
    },
}

/// Ownership and heads, as the one writer sees them.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    pub(crate) tokens: HashMap<ShardId, (u64, OwnerToken, Progress)>,
    pub(crate) counters: HashMap<ShardId, u64>,
    /// Heads of conversations written lately; emptied when it grows large.
    pub(crate) heads: HashMap<ConversationKey, Seq>,
    /// Commits so far.
    pub(crate) commits: u64,
    pub(crate) mark: Option<Mark>,
}

impl Owners {
    /// Puts the count of the next commit into its batch.
    pub(crate) fn count(&self, batch: &mut WriteBatch, rows: &Keyspace) {
        batch.insert(rows, keys::COMMITS, (self.commits + 1).to_be_bytes());
    }

    /// A commit is durable.
    pub(crate) fn counted(&mut self) {
        self.commits += 1;
        if let Some(Err(error)) = self.mark.as_mut().map(|mark| mark.note(self.commits)) {
            // The log itself is sound; a loss would go unnoticed.
            tracing::warn!(%error, "the mark of durable commits was not written");
        }
    }
}

pub(crate) struct Store {
    pub(crate) db: Database,
    pub(crate) entries: Keyspace,
    pub(crate) messages: Keyspace,
    pub(crate) sends: Keyspace,
    pub(crate) rows: Keyspace,
    /// Held by the writer for the whole of an append or a claim.
    pub(crate) owners: Mutex<Owners>,
    /// When each append began that has not ended.
    pub(crate) under_way: Mutex<Vec<Instant>>,
    pub(crate) failed: AtomicBool,
    pub(crate) failure: Notify,
    clock: Arc<dyn Clock>,
    append_within: Duration,
    log_epoch: String,
}

/// The embedded message log.
#[derive(Clone)]
pub struct FjallLog(pub(crate) Arc<Store>);

impl FjallLog {
    /// Opens the log in a folder, or creates it.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is repaired in silence.
    pub fn open(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let name = path.display().to_string();
        let failed = |source| OpenError::Engine { path: name.clone(), source };
        let db = engine::open(path, options.cache_bytes).map_err(failed)?;
        let open = |keyspace: &str| db.keyspace(keyspace, KeyspaceCreateOptions::default).map_err(failed);
        let (entries, messages, sends, rows) = (open("entries")?, open("messages")?, open("sends")?, open("rows")?);
        let mut log_epoch = match rows.get(keys::FORMAT).map_err(failed)? {
            Some(value) => check_format(&name, &value)?,
            None => create(&db, &rows).map_err(failed)?,
        };
        let commits = rows.get(keys::COMMITS).map_err(failed)?;
        let commits = commits.and_then(|n| Some(u64::from_be_bytes(n.as_ref().try_into().ok()?))).unwrap_or(0);
        let mark_failed = |source| OpenError::Mark { path: name.clone(), source };
        let (mut mark, durable) = Mark::open(&path.with_extension("mark")).map_err(mark_failed)?;
        if durable > commits {
            let missing = durable - commits;
            if !options.accept_loss {
                return Err(OpenError::Lost { path: name, missing });
            }
            tracing::error!(missing, "commits of the message log are lost, and the loss was accepted: devices start anew");
            log_epoch = create(&db, &rows).map_err(failed)?;
            mark.reset(commits).map_err(mark_failed)?;
        }
        let clock = Arc::clone(&options.clock);
        let store = Store {
            db,
            entries,
            messages,
            sends,
            rows,
            owners: Mutex::new(Owners { commits, mark: Some(mark), ..Owners::default() }),
            under_way: Mutex::default(),
            failed: AtomicBool::new(false),
            failure: Notify::new(),
            clock,
            append_within: options.append_within,
            log_epoch,
        };
        Ok(Self(Arc::new(store)))
    }

    /// Waits until a commit failed: its outcome is unknown and nothing is written any more, so the process should end.
    pub async fn failed(&self) {
        let failure = self.0.failure.notified();
        if self.0.failed.load(Ordering::SeqCst) {
            return;
        }
        failure.await;
    }
}

fn create(db: &Database, rows: &Keyspace) -> Result<String, fjall::Error> {
    let log_epoch = format!("{:016x}", random() as u64);
    let format = codec::StoredFormat { version: FORMAT_VERSION, shards: SHARDS.into(), log_epoch: log_epoch.clone() };
    let mut batch = db.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(rows, keys::FORMAT, format.encode_to_vec());
    batch.commit()?;
    Ok(log_epoch)
}

fn check_format(path: &str, value: &[u8]) -> Result<String, OpenError> {
    let format: codec::StoredFormat = codec::decode(value).map_err(|source| OpenError::Damaged { path: path.into(), source })?;
    if format.version != FORMAT_VERSION || format.shards != u32::from(SHARDS) {
        return Err(OpenError::Format {
            path: path.into(),
            found: format!("format {} with {} shards", format.version, format.shards),
            needed: format!("format {FORMAT_VERSION} with {SHARDS} shards"),
        });
    }
    Ok(format.log_epoch)
}

/// A random number that no one can guess: the keys of the standard library's hasher come from the system.
fn random() -> u128 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let half = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    (u128::from(half()) << 64) | u128::from(half())
}

pub(crate) fn unavailable(error: fjall::Error) -> Error {
    Error::Unavailable(error.to_string())
}

impl Store {
    fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        let mut owners = self.owners.lock();
        self.is_sound()?;
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        let mut claims = Vec::with_capacity(shards.len());
        for shard in shards {
            let stored: codec::StoredShard = match self.rows.get(keys::shard(*shard)).map_err(unavailable)? {
                Some(value) => codec::decode(&value)?,
                None => codec::StoredShard::default(),
            };
            let progress = Progress { delivered: MsgId(stored.delivered), published: MsgId(stored.published) };
            let claim = Claim {
                shard: *shard,
                epoch: stored.epoch + 1,
                token: OwnerToken(random()),
                counter: read::last_counter(self, *shard)?.max(self.clock.now_ms()),
                progress,
            };
            batch.insert(&self.rows, keys::shard(*shard), codec::store_shard(claim.epoch, claim.token, progress));
            claims.push(claim);
        }
        owners.count(&mut batch, &self.rows);
        batch.commit().map_err(|error| self.fail(&error))?;
        owners.counted();
        for claim in &claims {
            owners.tokens.insert(claim.shard, (claim.epoch, claim.token, claim.progress));
            owners.counters.insert(claim.shard, claim.counter);
        }
        owners.heads.clear();
        Ok(claims)
    }

    /// No commit failed.
    fn is_sound(&self) -> Result<(), Error> {
        if self.failed.load(Ordering::SeqCst) { Err(Error::Unavailable("an earlier commit failed".into())) } else { Ok(()) }
    }

    pub(crate) fn fail(&self, error: &dyn std::fmt::Display) -> Error {
        self.failed.store(true, Ordering::SeqCst);
        self.failure.notify_waiters();
        tracing::error!(%error, "a commit of the message log failed: its outcome is unknown, nothing more is written");
        Error::Unavailable(error.to_string())
    }
}

/// An append, until it ends, however long that takes.
struct UnderWay {
    store: Arc<Store>,
    began: Instant,
}

impl UnderWay {
    fn begin(store: &Arc<Store>) -> Self {
        let (store, began) = (Arc::clone(store), Instant::now());
        store.under_way.lock().push(began);
        Self { store, began }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = self.store.under_way.lock();
        if let Some(place) = under_way.iter().position(|began| *began == self.began) {
            under_way.swap_remove(place);
        }
    }
}

#[async_trait]
impl MessageLog for FjallLog {
    fn log_epoch(&self) -> String {
        self.0.log_epoch.clone()
    }

    async fn claim(&self, shards: &[ShardId]) -> Result<Vec<Claim>, Error> {
        let (store, shards) = (Arc::clone(&self.0), shards.to_vec());
        // A commit that stands still holds the writer: nobody waits behind it.
        store.is_sound()?;
        let claimed = tokio::task::spawn_blocking(move || store.claim(&shards)).await;
        claimed.unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())))
    }

    async fn append(&self, batch: Vec<ShardAppend>) -> Vec<Vec<Appended>> {
        let store = Arc::clone(&self.0);
        let unknown: Vec<_> = batch.iter().map(|s| vec![Appended::Unknown; s.conversations.len()]).collect();
        if store.is_sound().is_err() {
            return unknown;
        }
        let appended = tokio::task::spawn_blocking({
            let store = Arc::clone(&store);
            let under_way = UnderWay::begin(&store);
            move || append::append(&under_way.store, batch)
        });
        match tokio::time::timeout(store.append_within, appended).await {
            Ok(appended) => appended.unwrap_or(unknown),
            Err(_) => {
                _ = store.fail(&format!("no answer within {} ms", store.append_within.as_millis()));
                unknown
            }
        }
    }

    async fn load(&self, key: ConversationKey, recent: usize) -> Result<Tail, Error> {
        read::load(&self.0, key, recent)
    }

    async fn heads(&self, keys: &[ConversationKey]) -> Result<Vec<Tail>, Error> {
        keys.iter().map(|key| read::load(&self.0, *key, 0)).collect()
    }

    async fn entries(&self, key: ConversationKey, span: Span) -> Result<Vec<Logged>, Error> {
        read::entries(&self.0, key, span)
    }

    async fn at(&self, places: &[Location]) -> Result<Vec<Option<Logged>>, Error> {
        places.iter().map(|place| read::at(&self.0, place.key, place.seq)).collect()
    }

    async fn find_send(&self, key: ConversationKey, sender: Uid, cmid: &Cmid) -> Result<Option<FirstAnswer>, Error> {
        let found = self.0.sends.get(keys::send(key, sender, cmid)).map_err(unavailable)?;
        found.map(|value| codec::read_send(&value)).transpose()
    }

    async fn find_message(&self, id: MsgId) -> Result<Option<Location>, Error> {
        let found = self.0.messages.get(keys::message(id)).map_err(unavailable)?;
        let location = found.map(|value| codec::read_location(&value)).transpose()?;
        Ok(location.map(|(key, seq)| Location { key, seq }))
    }

    async fn members(&self, key: ConversationKey) -> Result<Vec<(Uid, Membership)>, Error> {
        read::members(&self.0, key)
    }

    async fn member(&self, key: ConversationKey, uid: Uid) -> Result<Option<Membership>, Error> {
        let found = self.0.rows.get(keys::member(key, uid)).map_err(unavailable)?;
        found.map(|value| codec::read_member(&value)).transpose()
    }

    async fn position(&self, key: ConversationKey, uid: Uid) -> Result<Position, Error> {
        read::position(&self.0, key, uid)
    }

    async fn retracted_unread(&self, key: ConversationKey, floor: Seq, to: Seq) -> Result<u64, Error> {
        read::retracted_unread(&self.0, key, floor, to)
    }

    async fn hidden(&self, key: ConversationKey, uid: Uid) -> Result<Vec<Hidden>, Error> {
        read::hidden(&self.0, key, uid)
    }

    async fn single_chats(&self, uid: Uid, after: Option<ConversationKey>, limit: usize) -> Result<Vec<ConversationKey>, Error> {
        read::single_chats(&self.0, uid, after, limit)
    }

    async fn since(&self, shard: ShardId, after: MsgId, limit: usize) -> Result<Vec<(ConversationKey, Entry)>, Error> {
        read::since(&self.0, shard, after, limit)
    }

    async fn under_way(&self) -> Result<Duration, Error> {
        Ok(self.0.under_way.lock().iter().map(Instant::elapsed).max().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use mynah_ports::contract::first;

    use super::*;

    /// The one writer is held up, as by a disk that does not answer, until what it gives is called.
    fn held_up(log: &FjallLog) -> impl FnOnce() {
        let (holds, is_held) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let store = Arc::clone(&log.0);
        let holder = std::thread::spawn(move || {
            let _held = store.owners.lock();
            holds.send(()).unwrap();
            _ = released.recv();
        });
        is_held.recv().unwrap();
        move || {
            drop(release);
            holder.join().unwrap();
        }
    }

    #[tokio::test]
    async fn a_store_that_stands_still_has_failed_and_writes_nothing_later() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { append_within: Duration::from_millis(20), ..Options::default() };
        let log = FjallLog::open(folder.path(), &options).unwrap();
        let key = ConversationKey::single(Uid(1), Uid(2));
        let claim = log.claim(&[key.shard()]).await.unwrap().remove(0);
        let release = held_up(&log);
        assert_eq!(log.append(vec![first::append(key, &claim)]).await, [[Appended::Unknown]]);
        log.failed().await;
        // Nobody waits behind it.
        assert!(log.claim(&[key.shard()]).await.is_err());
        assert_eq!(log.append(vec![first::append(key, &claim)]).await, [[Appended::Unknown]]);
        release();
        assert_eq!(log.load(key, 0).await.unwrap().head_seq, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_append_is_under_way_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let log = FjallLog::open(folder.path(), &Options::default()).unwrap();
        let key = ConversationKey::single(Uid(1), Uid(2));
        let claim = log.claim(&[key.shard()]).await.unwrap().remove(0);
        let release = held_up(&log);
        let appending = tokio::spawn({
            let (log, batch) = (log.clone(), vec![first::append(key, &claim)]);
            async move { log.append(batch).await }
        });
        while log.under_way().await.unwrap() < Duration::from_millis(5) {
            assert!(!appending.is_finished());
            tokio::task::yield_now().await;
        }
        release();
        assert_eq!(appending.await.unwrap(), [[Appended::Done]]);
        assert_eq!(log.under_way().await.unwrap(), Duration::ZERO);
    }
}
