//! One time for a deployment: that of the message log's first database. Entries are stamped by it, lists by time are cut by it.

use std::sync::Arc;
use std::time::Duration;

use mynah_postgres_log::PostgresLog;
use mynah_types::{Clock, CorrectedClock, SystemClock};

/// How often it is asked. Clocks of machines drift by less than a millisecond in that time.
const EVERY: Duration = Duration::from_secs(5);

/// The machine's clock, until somebody says what time it is.
pub(crate) fn own() -> Arc<CorrectedClock> {
    Arc::new(CorrectedClock::new(Arc::new(SystemClock)))
}

/// The clock goes by a database's for as long as anybody has it. While the database is away it goes on as it went.
pub(crate) fn follow(clock: &Arc<CorrectedClock>, database: PostgresLog) {
    let kept = Arc::downgrade(clock);
    tokio::spawn(async move {
        while let Some(clock) = kept.upgrade() {
            correct(&clock, &database).await;
            drop(clock);
            tokio::time::sleep(EVERY).await;
        }
    });
}

async fn correct(clock: &CorrectedClock, database: &PostgresLog) {
    let asked = clock.own_ms();
    match database.now_ms().await {
        Ok(theirs) => _ = clock.correct(asked, theirs),
        Err(error) => tracing::debug!(%error, "the database does not say what time it is"),
    }
    let ahead = clock.now_ms() as f64 - clock.own_ms() as f64;
    metrics::gauge!("mynah_clock_correction_seconds").set(ahead / 1000.0);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use mynah_engines::PostgreSql;
    use mynah_postgres_log::Options;
    use mynah_types::ManualClock;

    use super::*;

    /// More than any test takes on a busy machine.
    const HOUR_MS: u64 = 3_600_000;

    /// Two machines, one an hour ahead and one an hour behind: by the database they are together.
    #[tokio::test(flavor = "multi_thread")]
    async fn machines_whose_clocks_differ_go_by_the_databases() {
        let server = tokio::task::block_in_place(|| PostgreSql::start().unwrap());
        server.create_database("log").unwrap();
        let log = PostgresLog::open(&server.url("log"), &Options::default()).await.unwrap();
        let now = SystemClock.now_ms();
        let machine = |at| CorrectedClock::new(Arc::new(ManualClock::at(at)));
        let (early, late) = (machine(now + HOUR_MS), machine(now - HOUR_MS));
        for clock in [&early, &late] {
            correct(clock, &log).await;
        }
        let theirs = log.now_ms().await.unwrap();
        for clock in [early, late] {
            // The machines' clocks stand still; what the test took has gone by in the database alone.
            let behind = theirs - clock.now_ms();
            assert!(behind < HOUR_MS / 4, "{behind} ms");
        }
    }
}
