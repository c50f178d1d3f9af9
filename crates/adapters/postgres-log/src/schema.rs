//! The schema: brought up to date when a log is opened.

use std::time::Duration;

use mynah_types::SHARDS;
use tokio_postgres::Transaction;

use crate::log::OpenError;
use crate::pool::{Pool, text};

/// One script per version. Never edited once released; `schema_version` counts those that ran.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/0001_log.sql"),
    include_str!("../migrations/0002_leases.sql"),
    include_str!("../migrations/0003_identity.sql"),
    include_str!("../migrations/0004_leaving.sql"),
];

/// Names the lock that one starter holds while it migrates: any number that nothing else in the database uses.
const LOCK: i64 = 0x6d79_6e61_686c_6f67;

/// How long another starter may take to migrate.
const WAIT: Duration = Duration::from_secs(60);

/// Runs what is missing, in one transaction: of several starters the first migrates, the others wait and find nothing to do.
/// Returns the identity of the log.
pub(crate) async fn open(pool: &Pool) -> Result<String, OpenError> {
    let mut connection = pool.get().await.map_err(|failure| OpenError::Unavailable(failure.why()))?;
    let failed = |error: tokio_postgres::Error| OpenError::Unavailable(text(&error));
    let step = connection.transaction().await.map_err(failed)?;
    migrate(&step).await?;
    let sql = "SELECT identity(), shards, current_setting('server_encoding') FROM log";
    let row = step.query_one(sql, &[]).await.map_err(failed)?;
    let (shards, encoding): (i32, String) = (row.get(1), row.get(2));
    if shards != i32::from(SHARDS) {
        return Err(OpenError::Format { found: format!("{shards} shards"), needed: format!("{SHARDS}") });
    }
    if encoding != "UTF8" {
        return Err(OpenError::Format { found: format!("the encoding {encoding}"), needed: "UTF8".into() });
    }
    step.commit().await.map_err(failed)?;
    Ok(row.get(0))
}

async fn migrate(step: &Transaction<'_>) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::Unavailable(text(&error));
    let begin = format!(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({LOCK});
         CREATE SCHEMA IF NOT EXISTS mynah_log;
         CREATE TABLE IF NOT EXISTS schema_version (one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);
         INSERT INTO schema_version (version) VALUES (0) ON CONFLICT DO NOTHING",
        WAIT.as_millis()
    );
    step.batch_execute(&begin).await.map_err(failed)?;
    let found: i32 = step.query_one("SELECT version FROM schema_version", &[]).await.map_err(failed)?.get(0);
    let known = MIGRATIONS.len();
    let Some(missing) = usize::try_from(found).ok().and_then(|found| MIGRATIONS.get(found..)) else {
        return Err(OpenError::Newer { found, known });
    };
    for script in missing {
        step.batch_execute(script).await.map_err(failed)?;
    }
    if !missing.is_empty() {
        step.batch_execute(&format!("UPDATE schema_version SET version = {known}")).await.map_err(failed)?;
    }
    Ok(())
}
