//! Bringing a database's schema up to date.

use deadpool_postgres::Transaction;
use mynah_ports::directory_store::Error;

use crate::engine::{Engine, number, one, run, silence};
use crate::errors::{Failure, OpenError};

/// One script per version of the schema. Never edited once released; `directory_schema` tells the newest that ran.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001_directory.sql"), include_str!("../migrations/0002_processes.sql")];

/// The lock that starters take turns by.
const LOCK: i64 = 0x6d79_6e61_6864_6972;

/// Runs what is missing, in one transaction under a lock: of several starters the first migrates, the others find nothing to do.
pub(crate) async fn migrate(engine: &Engine) -> Result<(), OpenError> {
    let migrated: Result<_, Error> = async { settling!(engine, |tx| bring_up_to_date(&tx)) }.await;
    migrated?
}

/// The inner error is for good: another attempt would find the same.
async fn bring_up_to_date(tx: &Transaction<'_>) -> Result<Result<(), OpenError>, Failure> {
    if let Some(unfit) = unfit(tx).await? {
        return Ok(Err(OpenError::Unfit(unfit)));
    }
    // Whoever waits here waits for a migration, which may take long; the attempt as a whole is bounded.
    tx.batch_execute("SET LOCAL lock_timeout = 0").await?;
    run(tx, "SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    tx.batch_execute(
        "SET LOCAL client_min_messages = warning; CREATE TABLE IF NOT EXISTS directory_schema (version BIGINT NOT NULL)",
    )
    .await?;
    let version: usize = number(&one(tx, "SELECT coalesce(max(version), 0) FROM directory_schema", &[]).await?, 0)?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        return Ok(Err(OpenError::Newer { found: version, known: MIGRATIONS.len() }));
    };
    if missing.is_empty() {
        return Ok(Ok(()));
    }
    for script in missing {
        tx.batch_execute(script).await?;
    }
    tx.batch_execute(&format!("DELETE FROM directory_schema; INSERT INTO directory_schema VALUES ({})", MIGRATIONS.len()))
        .await?;
    Ok(Ok(()))
}

/// A call that answered is durable: not with a database that answers before its log is on the disk. A silent transaction is undone. And names
/// are in UTF-8.
async fn unfit(tx: &Transaction<'_>) -> Result<Option<String>, Failure> {
    for (name, bad) in [("synchronous_commit", "off"), ("fsync", "off")] {
        if setting(tx, name).await? == bad {
            return Ok(Some(format!("PostgreSQL is set to lose what it answered: {name} is {bad}")));
        }
    }
    let (name, wanted) = silence();
    let found = setting(tx, name).await?;
    if found != wanted {
        return Ok(Some(format!(
            "what its sessions are opened with does not reach PostgreSQL, as behind some poolers: {name} is {found}"
        )));
    }
    let encoding = setting(tx, "server_encoding").await?;
    Ok((encoding != "UTF8").then(|| format!("the database must be made with encoding UTF8; it has {encoding}")))
}

async fn setting(tx: &Transaction<'_>, name: &str) -> Result<String, Failure> {
    Ok(one(tx, "SELECT current_setting($1)", &[&name]).await?.try_get(0)?)
}
