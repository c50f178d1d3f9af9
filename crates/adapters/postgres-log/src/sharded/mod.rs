//! One log in several databases, each with a range of shards.
//!
//! Reading order: [`ShardedLog`] (how it is opened), `routed` (the port's trait: each call goes to the database that has its shard).

mod routed;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use mynah_ports::message_log::Error;
use mynah_types::{ShardId, ShardRange};

use crate::databases::Databases;
use crate::judge::{self, Known, Look};
use crate::log::{OpenError, Options, PostgresLog};
use crate::schema::{Note, Opened};

/// How often a database that was away at the start is tried.
const LATE_EVERY: Duration = Duration::from_secs(1);

/// The message log in one database or several. Clones share it.
///
/// Appends to two databases are independent: an append that has parts for both is answered when both have answered, so that a caller
/// who must not wait for one hands in the parts apart.
#[derive(Clone)]
pub struct ShardedLog {
    /// By their shards.
    parts: Arc<Vec<PostgresLog>>,
}

impl ShardedLog {
    /// Opens all databases of a log and brings their schemas up to date.
    ///
    /// # Errors
    /// See [`OpenError`]: unavailable if one does not answer.
    pub async fn open(databases: &Databases, options: &Options) -> Result<Self, OpenError> {
        let (log, missing) = Self::open_some(databases, options).await?;
        match missing {
            None => Ok(log),
            Some(Missing { why, .. }) => Err(OpenError::Unavailable(why)),
        }
    }

    /// The same, and one that does not answer now may come later, if another one of the set knows it. Until then its shards are
    /// unavailable, and the others are not.
    ///
    /// # Errors
    /// See [`OpenError`]: unavailable if none answers, or one that nobody knows yet does not.
    pub async fn open_available(databases: &Databases, options: &Options) -> Result<Self, OpenError> {
        let (log, missing) = Self::open_some(databases, options).await?;
        if let Some(Missing { known, away, why }) = missing {
            tracing::warn!(error = why, "a database of the message log is away: its shards are not served");
            for part in away {
                tokio::spawn(enter_late(part, known.clone()));
            }
        }
        Ok(log)
    }

    async fn open_some(databases: &Databases, options: &Options) -> Result<(Self, Option<Missing>), OpenError> {
        let parts = databases.iter().map(|database| PostgresLog::shut(&database.url, database.shards, options));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let (looks, known) = judge::settled(|| all_looked(&parts, options.within)).await?;
        if let Some(why) = judge::waits(&looks, &known) {
            return Err(OpenError::Unavailable(why));
        }
        let count = parts.len();
        let away = |part: &&PostgresLog| looks.iter().any(|(shards, look)| *shards == part.range() && look.is_err());
        let missing = parts.iter().filter(away).cloned().collect::<Vec<_>>();
        let why = looks.iter().find_map(|(shards, look)| Some(judge::told(count, *shards, look.as_ref().err()?)));
        let notes = enter(&parts, &missing, &known).await?;
        let log = Self { parts: Arc::new(parts) };
        Ok((log, why.map(|why| Missing { known: Known { notes, ..known }, away: missing, why })))
    }

    /// Its databases, by their shards: each with the leases of those who share it.
    #[must_use]
    pub fn parts(&self) -> &[PostgresLog] {
        &self.parts
    }

    fn part(&self, shard: ShardId) -> Result<&PostgresLog, Error> {
        let part = self.parts.iter().find(|part| part.range().contains(shard));
        part.ok_or_else(|| Error::Damaged(format!("no database has shard {shard}")))
    }
}

/// Databases that did not answer.
struct Missing {
    known: Known,
    away: Vec<PostgresLog>,
    why: String,
}

/// Looks at all databases at one time.
async fn all_looked(parts: &[PostgresLog], within: Duration) -> Result<Vec<(ShardRange, Look)>, OpenError> {
    let looks = join_all(parts.iter().map(|part| looked(part, within))).await;
    looks.into_iter().collect()
}

/// Looks at a database. One that does not answer is away; one that cannot be right is an error.
async fn looked(part: &PostgresLog, within: Duration) -> Result<(ShardRange, Look), OpenError> {
    let look = match tokio::time::timeout(within * 2, part.look()).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(OpenError::Unavailable(why))) => Err(why),
        Ok(Err(fatal)) => return Err(fatal),
        Err(_) => Err("no answer in time".into()),
    };
    Ok((part.range(), look))
}

/// Enters the databases that are there, the first one first: new ones are of its set. What the set is made of is noted in each before
/// anybody writes a message. Returns the notes.
async fn enter(parts: &[PostgresLog], away: &[PostgresLog], known: &Known) -> Result<Vec<Note>, OpenError> {
    let is_away = |part: &PostgresLog| away.iter().any(|other| other.range() == part.range());
    let (mut set, mut notes) = (known.set.clone(), Vec::new());
    for part in parts {
        let remembered = known.notes.iter().find(|note| note.shards == part.range());
        match remembered.filter(|_| is_away(part)) {
            Some(note) => {
                part.remember(&note.identity);
                notes.push(note.clone());
            }
            None => {
                let Opened { set: of, birth, identity, .. } = part.enter(set.as_deref()).await?;
                set = Some(of);
                notes.push(Note { shards: part.range(), birth, identity });
            }
        }
    }
    if parts.len() > 1 {
        for part in parts.iter().filter(|part| !is_away(part)) {
            part.note(&notes).await?;
        }
    }
    Ok(notes)
}

/// Waits for a database that was away, and serves its shards from then on, if it is the one that the others know.
async fn enter_late(part: PostgresLog, known: Known) {
    let shards = part.range();
    loop {
        tokio::time::sleep(LATE_EVERY).await;
        match enter_known(&part, &known).await {
            Ok(()) => {
                tracing::info!(%shards, "a database of the message log is there");
                return;
            }
            Err(OpenError::Unavailable(why)) => tracing::debug!(error = why, %shards, "a database of the message log is away"),
            Err(error) => tracing::error!(%error, "a database of the message log is refused: its shards are not served"),
        }
    }
}

async fn enter_known(part: &PostgresLog, known: &Known) -> Result<(), OpenError> {
    judge::is_known(part.range(), &part.look().await?, known)?;
    part.enter(known.set.as_deref()).await.map(|_| ())
}
