//! Appends that are under way for too long: they are ended, so that lists by time need not reach back further.
//!
//! The server ends no statement that is in its commit, and a commit waits for the synchronous replica without a bound. Entries that came
//! to light minutes after their time would be passed over by who lists what moved since. Ended, they are seen at once, as after a crash
//! of the server: what became of them was never answered, and whoever claims their shard next waits for the replica.

use std::sync::Weak;
use std::time::Duration;

use mynah_ports::message_log::Error;

use crate::log::Inner;
use crate::pool::Pool;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Sessions of other roles are not seen, and could not be ended. Found first and then ended: among the conditions of one query the server
/// would choose the order, and end sessions that it has not looked at yet.
const END_LATE: &str = "WITH late AS MATERIALIZED (
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND starts_with(query, 'SELECT append(') AND backend_xid IS NOT NULL
            AND xact_start < clock_timestamp() - $1 * interval '1 millisecond'
    )
    SELECT pg_terminate_backend(pid) FROM late";

/// One that waits for a lock counts, too: what it will write was decided before.
const UNDER_WAY: &str =
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::double precision FROM pg_stat_activity
    WHERE datname = current_database() AND starts_with(query, 'SELECT append(') AND state = 'active'";

/// For how long the oldest append is under way.
pub(crate) async fn under_way(pool: &Pool) -> Result<Duration, Error> {
    let rows = pool.read(UNDER_WAY, &[]).await?;
    Ok(rows.first().map_or(Duration::ZERO, |row| Duration::try_from_secs_f64(row.get(0)).unwrap_or_default()))
}

/// Looks for as long as the log is open in this process: its writer may be dead, and nobody able to claim.
pub(crate) async fn watch(log: Weak<Inner>) {
    while let Some(inner) = log.upgrade() {
        // Who began it has given it up by then.
        let within = inner.within;
        let bound = f64::from(u32::try_from(within.as_millis()).unwrap_or(u32::MAX));
        match inner.leases.read(END_LATE, &[&bound]).await {
            Ok(ended) if ended.is_empty() => {}
            Ok(ended) => tracing::warn!(sessions = ended.len(), "ended appends that hung"),
            Err(error) => tracing::debug!(%error, "whether appends hang is not known"),
        }
        drop(inner);
        tokio::time::sleep(EVERY.min(within)).await;
    }
}

#[cfg(test)]
mod tests {
    use mynah_ports::message_log::APPEND_WITHIN;

    use super::*;
    use crate::Options;

    #[test]
    fn what_hangs_is_ended_within_what_an_append_may_take() {
        let Options { within, lease_within, .. } = Options::default();
        let (connects, runs, is_ended) = (within, within, EVERY + lease_within * 2);
        assert!(connects + runs + is_ended <= APPEND_WITHIN);
    }
}
