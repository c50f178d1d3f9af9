//! The schema: several starters, a newer program.

use mynah_ports::MessageLog as _;
use mynah_postgres_log::{OpenError, Options, PostgresLog};

use crate::faults::session;
use crate::support::{new_database, of_starters};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_at_once_make_one_log() {
    let url = new_database();
    let epoch = of_starters(|| {
        let url = url.clone();
        async move { PostgresLog::open(&url, &Options::default()).await.map(|log| log.log_epoch()) }
    });
    let epoch = epoch.await;
    // Another database is another log.
    let other = PostgresLog::open(&new_database(), &Options::default()).await.unwrap();
    assert_ne!(other.log_epoch(), epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_and_another_number_of_shards_are_refused() {
    let url = new_database();
    PostgresLog::open(&url, &Options::default()).await.unwrap();
    let operator = session(&url).await;
    operator.batch_execute("UPDATE mynah_log.log SET shards = 64").await.unwrap();
    let refused = PostgresLog::open(&url, &Options::default()).await.err().unwrap();
    assert_eq!(refused.to_string(), "the message log has 64 shards, this program needs 256");
    operator.batch_execute("UPDATE mynah_log.schema_version SET version = 99").await.unwrap();
    let refused = PostgresLog::open(&url, &Options::default()).await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
    assert_eq!(refused.to_string(), "the message log has schema 99, made by a newer version; this one knows 5");
    let version: i32 = operator.query_one("SELECT version FROM mynah_log.schema_version", &[]).await.unwrap().get(0);
    assert_eq!(version, 99, "it is left alone");
}
