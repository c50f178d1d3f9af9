//! Bringing a database's schema up to date.

use deadpool_postgres::Transaction;
use mynah_ports::directory_store::Error;

use crate::engine::{Engine, number, one, run};
use crate::errors::Failure;

/// One script per version of the schema. Never edited once released; `directory_schema` tells the newest that ran.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/0001_directory.sql"), include_str!("../migrations/0002_processes.sql")];

/// The lock that starters take turns by.
const LOCK: i64 = 0x6d79_6e61_6864_6972;

/// Runs what is missing, in one transaction under a lock: of several starters the first migrates, the others find nothing to do.
pub(crate) async fn migrate(engine: &Engine) -> Result<(), Error> {
    writing!(engine, |tx| bring_up_to_date(&tx))
}

async fn bring_up_to_date(tx: &Transaction<'_>) -> Result<(), Failure> {
    check_settings(tx).await?;
    // Whoever waits here waits for a migration, which may take long; the attempt as a whole is bounded.
    tx.batch_execute("SET LOCAL lock_timeout = 0").await?;
    run(tx, "SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    tx.batch_execute(
        "SET LOCAL client_min_messages = warning; CREATE TABLE IF NOT EXISTS directory_schema (version BIGINT NOT NULL)",
    )
    .await?;
    let version: usize = number(&one(tx, "SELECT coalesce(max(version), 0) FROM directory_schema", &[]).await?, 0)?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        let known = MIGRATIONS.len();
        let text = format!("the database has schema {version}, made by a newer version; this one knows {known}");
        return Err(Error::Unavailable(text).into());
    };
    if missing.is_empty() {
        return Ok(());
    }
    for script in missing {
        tx.batch_execute(script).await?;
    }
    tx.batch_execute(&format!("DELETE FROM directory_schema; INSERT INTO directory_schema VALUES ({})", MIGRATIONS.len()))
        .await?;
    Ok(())
}

/// A call that answered is durable: not with a database that answers before its log is on the disk. And names are in UTF-8.
async fn check_settings(tx: &Transaction<'_>) -> Result<(), Failure> {
    for (name, bad) in [("synchronous_commit", "off"), ("fsync", "off")] {
        if setting(tx, name).await? == bad {
            return Err(Error::Unavailable(format!("PostgreSQL is set to lose what it answered: {name} is {bad}")).into());
        }
    }
    let encoding = setting(tx, "server_encoding").await?;
    if encoding != "UTF8" {
        return Err(Error::Unavailable(format!("the database must be made with encoding UTF8; it has {encoding}")).into());
    }
    Ok(())
}

async fn setting(tx: &Transaction<'_>, name: &str) -> Result<String, Failure> {
    Ok(one(tx, "SELECT current_setting($1)", &[&name]).await?.try_get(0)?)
}
