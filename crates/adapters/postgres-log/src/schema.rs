//! The schema: brought up to date when a log is opened.

use std::time::Duration;

use mynah_types::{SHARDS, ShardRange};
use tokio_postgres::{Row, Transaction};

use crate::judge;
use crate::log::OpenError;
use crate::pool::{Pool, text};

/// One script per version. Never edited once released; `schema_version` counts those that ran.
const MIGRATIONS: [&str; 5] = [
    include_str!("../migrations/0001_log.sql"),
    include_str!("../migrations/0002_leases.sql"),
    include_str!("../migrations/0003_identity.sql"),
    include_str!("../migrations/0004_leaving.sql"),
    include_str!("../migrations/0005_served.sql"),
];

/// Names the lock that one starter holds while it migrates: any number that nothing else in the database uses.
const LOCK: i64 = 0x6d79_6e61_686c_6f67;

/// How long another starter may take to migrate.
const WAIT: Duration = Duration::from_secs(60);

/// The first version that says which shards a database has.
const SERVED: i32 = 5;

/// Which shards a database has, and of which set it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) set: String,
    pub(crate) shards: ShardRange,
}

/// A database of a set, as another one of it remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) shards: ShardRange,
    pub(crate) birth: String,
    pub(crate) identity: String,
}

/// What a database is, before anything is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Made with it, and never changed; none in a new one.
    pub(crate) birth: Option<String>,
    /// None in a new one.
    pub(crate) served: Option<Served>,
    pub(crate) notes: Vec<Note>,
}

/// What opening did to a database's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was found; 0 in a new database.
    pub from: usize,
    /// The one that it has since.
    pub to: usize,
}

/// A database that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) migrated: Migrated,
    pub(crate) set: String,
    pub(crate) birth: String,
    pub(crate) identity: String,
}

fn failed(error: tokio_postgres::Error) -> OpenError {
    OpenError::Unavailable(text(&error))
}

fn range(first: i32, last: i32) -> Result<ShardRange, OpenError> {
    let numbers = u16::try_from(first).ok().zip(u16::try_from(last).ok());
    numbers.and_then(|(first, last)| ShardRange::new(first, last)).ok_or_else(|| OpenError::Format {
        found: format!("the shards {first} to {last}"),
        needed: format!("shards of 0 to {}", SHARDS - 1),
    })
}

/// Reads what a database is. Nothing is written.
pub(crate) async fn look(pool: &Pool) -> Result<Found, OpenError> {
    let connection = pool.connect().await.map_err(|failure| OpenError::Unavailable(failure.why()))?;
    let there = "SELECT to_regclass('mynah_log.schema_version') IS NOT NULL";
    if !connection.query_one(there, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(Found::default());
    }
    let version: i32 = connection.query_one("SELECT version FROM schema_version", &[]).await.map_err(failed)?.get(0);
    missing(version)?;
    let (birth, shards): (String, i32) = {
        let row = connection.query_one("SELECT epoch, shards FROM log", &[]).await.map_err(failed)?;
        (row.get(0), row.get(1))
    };
    if version < SERVED {
        let served = Served { set: birth.clone(), shards: range(0, shards - 1)? };
        return Ok(Found { birth: Some(birth), served: Some(served), notes: Vec::new() });
    }
    let mut served = None;
    if let Some(row) = connection.query_opt("SELECT set_id, first, last FROM served", &[]).await.map_err(failed)? {
        served = Some(Served { set: row.get(0), shards: range(row.get(1), row.get(2))? });
    }
    let rows = connection.query("SELECT first, last, birth, identity FROM parts ORDER BY first", &[]).await.map_err(failed)?;
    let note = |row: &Row| Ok(Note { shards: range(row.get(0), row.get(1))?, birth: row.get(2), identity: row.get(3) });
    Ok(Found { birth: Some(birth), served, notes: rows.iter().map(note).collect::<Result<_, OpenError>>()? })
}

/// Brings a database up to date as the one that has these shards, of this set or, if none is given, of one that it begins. One that
/// has others, or is of another set, is refused and stays as it was. All in one transaction: of several starters the first migrates, the
/// others wait and find nothing to do.
pub(crate) async fn open(pool: &Pool, shards: ShardRange, set: Option<&str>) -> Result<Opened, OpenError> {
    let mut connection = pool.connect().await.map_err(|failure| OpenError::Unavailable(failure.why()))?;
    let step = connection.transaction().await.map_err(failed)?;
    let migrated = migrate(&step).await?;
    let sql = "SELECT identity(), epoch, shards, current_setting('server_encoding') FROM log";
    let row = step.query_one(sql, &[]).await.map_err(failed)?;
    let (birth, count, encoding): (String, i32, String) = (row.get(1), row.get(2), row.get(3));
    if count != i32::from(SHARDS) {
        return Err(OpenError::Format { found: format!("{count} shards"), needed: format!("{SHARDS}") });
    }
    if encoding != "UTF8" {
        return Err(OpenError::Format { found: format!("the encoding {encoding}"), needed: "UTF8".into() });
    }
    let set = serve(&step, shards, set, &birth).await?;
    step.commit().await.map_err(failed)?;
    Ok(Opened { migrated, set, birth, identity: row.get(0) })
}

/// Writes down what a new database has, and holds what an older one has against it. Returns the set.
async fn serve(step: &Transaction<'_>, shards: ShardRange, set: Option<&str>, birth: &str) -> Result<String, OpenError> {
    if let Some(row) = step.query_opt("SELECT set_id, first, last FROM served", &[]).await.map_err(failed)? {
        let served = Served { set: row.get(0), shards: range(row.get(1), row.get(2))? };
        judge::fits(shards, &served, set)?;
        return Ok(served.set);
    }
    let set = set.unwrap_or(birth);
    let (first, last) = (i32::from(shards.first().0), i32::from(shards.last().0));
    step.execute("INSERT INTO served (set_id, first, last) VALUES ($1, $2, $3)", &[&set, &first, &last]).await.map_err(failed)?;
    // What has no row can neither be claimed nor written.
    step.execute("DELETE FROM shards WHERE shard NOT BETWEEN $1 AND $2", &[&first, &last]).await.map_err(failed)?;
    Ok(set.to_owned())
}

/// Notes in a database what the set is made of. Nothing is written where that is known.
pub(crate) async fn note(pool: &Pool, notes: &[Note]) -> Result<(), OpenError> {
    let connection = pool.connect().await.map_err(|failure| OpenError::Unavailable(failure.why()))?;
    let sql = "INSERT INTO parts AS p (first, last, birth, identity) VALUES ($1, $2, $3, $4)
        ON CONFLICT (first) DO UPDATE SET last = excluded.last, birth = excluded.birth, identity = excluded.identity
        WHERE (p.last, p.birth, p.identity) <> (excluded.last, excluded.birth, excluded.identity)";
    for Note { shards, birth, identity } in notes {
        let (first, last) = (i32::from(shards.first().0), i32::from(shards.last().0));
        connection.execute(sql, &[&first, &last, birth, identity]).await.map_err(failed)?;
    }
    Ok(())
}

/// The scripts that a schema of this version lacks.
fn missing(version: i32) -> Result<&'static [&'static str], OpenError> {
    let missing = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..));
    missing.ok_or(OpenError::Newer { found: version, known: MIGRATIONS.len() })
}

async fn migrate(step: &Transaction<'_>) -> Result<Migrated, OpenError> {
    let begin = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({LOCK});
         CREATE SCHEMA IF NOT EXISTS mynah_log;
         CREATE TABLE IF NOT EXISTS schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
         INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING",
        WAIT.as_millis()
    );
    step.batch_execute(&begin).await.map_err(failed)?;
    let found: i32 = step.query_one("SELECT version FROM schema_version", &[]).await.map_err(failed)?.get(0);
    let (known, missing) = (MIGRATIONS.len(), missing(found)?);
    for script in missing {
        step.batch_execute(script).await.map_err(failed)?;
    }
    if !missing.is_empty() {
        step.batch_execute(&format!("UPDATE schema_version SET version = {known}")).await.map_err(failed)?;
    }
    Ok(Migrated { from: known - missing.len(), to: known })
}
