//! Which process does some work for all of them.

use std::time::Duration;

use deadpool_postgres::Transaction;

use crate::engine::{int, run};
use crate::errors::Failure;

/// By the engine's clock alone: those of the processes need not agree.
pub(crate) async fn take(tx: &Transaction<'_>, work: &str, process: u64, lease: Duration) -> Result<bool, Failure> {
    let sql = "INSERT INTO turns (work, process, until) \
               VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 second') \
               ON CONFLICT (work) DO UPDATE SET process = excluded.process, until = excluded.until \
               WHERE turns.process = excluded.process OR turns.until <= clock_timestamp()";
    Ok(run(tx, sql, &[&work, &int(process), &lease.as_secs_f64()]).await? > 0)
}
