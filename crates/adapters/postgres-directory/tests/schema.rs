//! Several processes start on one database, of whatever version.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod shared;

use futures_util::future::join_all;
use mynah_engines::{Authority, PostgreSql};
use mynah_ports::DirectoryStore as _;
use mynah_ports::directory_store::Error;
use mynah_postgres_directory::{Address, OpenError, PostgresDirectory};
use mynah_types::Uid;
use shared::{app, fresh};

const SCHEMA: &str = "SELECT version FROM directory_schema";

fn unavailable<T>(outcome: Result<T, OpenError>) -> String {
    match outcome {
        Err(OpenError::Store(Error::Unavailable(why))) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starters_at_one_time_make_one_schema() {
    let database = fresh();
    let opened = join_all((0..16).map(|_| database.store())).await;
    let stores: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    let app = app(&stores[0]).await;
    for store in &stores {
        assert!(store.app(app).await.unwrap().is_some());
    }
    let versions = database.client().await.query(SCHEMA, &[]).await.unwrap();
    assert_eq!((versions.len(), versions[0].get::<_, i64>(0)), (1, 2));
}

/// A starter that waits does not begin before the one before it is through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starter_waits_for_the_one_before_it() {
    let database = fresh();
    let first = database.client().await;
    first.execute("SELECT pg_advisory_lock(7888457586958428530)", &[]).await.unwrap();
    let watcher = database.client().await;
    let waits = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        while watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        let made = watcher.query("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
        assert!(made.is_empty());
        first.execute("SELECT pg_advisory_unlock_all()", &[]).await.unwrap();
    };
    let (opened, ()) = tokio::join!(database.store(), waits);
    opened.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused_and_left_alone() {
    let database = fresh();
    drop(database.store().await.unwrap());
    let client = database.client().await;
    client.batch_execute("UPDATE directory_schema SET version = 99").await.unwrap();
    let opened = database.store().await;
    assert!(matches!(opened, Err(OpenError::Newer { found: 99, known: 2 })));
    assert_eq!(client.query_one(SCHEMA, &[]).await.unwrap().get::<_, i64>(0), 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_fails_leaves_nothing() {
    let database = fresh();
    let client = database.client().await;
    // In the way of the schema's last table but one.
    client.batch_execute("CREATE TABLE activity (what TEXT)").await.unwrap();
    assert!(database.store().await.is_err());
    let left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 1);
    client.batch_execute("DROP TABLE activity").await.unwrap();
    database.store().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_loses_what_it_answered_is_refused() {
    let database = fresh();
    let client = database.client().await;
    let name: String = client.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    client.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.unwrap();
    let Err(OpenError::Unfit(why)) = database.store().await else { panic!("it was opened, or waits for better days") };
    assert_eq!(why, "PostgreSQL is set to lose what it answered: synchronous_commit is off");
}

/// Its server takes nothing in the clear: each connection is over TLS, also those that are made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_over_tls_works_and_goes_on_when_its_server_is_back() {
    let (authority, strange) = (Authority::new().unwrap(), Authority::new().unwrap());
    let mut server = PostgreSql::start_tls(&authority.certificate().unwrap()).unwrap();
    let url = format!("{}?sslmode=verify-full", server.url("postgres"));
    let trusting = |authority: &Authority| Address::read(&url, Some(&authority.pem())).unwrap();
    let store = PostgresDirectory::open_at(&trusting(&authority), 4).await.unwrap();
    let app = app(&store).await;
    server.kill();
    server.restart().unwrap();
    assert!(store.app(app).await.unwrap().is_some());
    let foreign = unavailable(PostgresDirectory::open_at(&trusting(&strange), 4).await);
    assert!(foreign.contains("UnknownIssuer"), "{foreign}");
    let by_system = unavailable(PostgresDirectory::open(&url, 4).await);
    assert!(by_system.contains("certificate"), "{by_system}");
    let plain = PostgreSql::start().unwrap();
    let address = Address::read(&format!("{}?sslmode=require", plain.url("postgres")), Some(&authority.pem())).unwrap();
    let refused = unavailable(PostgresDirectory::open_at(&address, 4).await);
    assert!(refused.contains("does not support TLS"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_holds() {
    let database = fresh();
    let client = database.client().await;
    client.batch_execute(include_str!("../migrations/0001_directory.sql")).await.unwrap();
    let made = "CREATE TABLE directory_schema (version BIGINT NOT NULL); INSERT INTO directory_schema VALUES (1); \
                UPDATE counters SET value = 10000077 WHERE name = 'roster'; \
                INSERT INTO relation_notes VALUES (1, 2, 3); INSERT INTO shield_notes (uid, gid) VALUES (1, 4)";
    client.batch_execute(made).await.unwrap();
    let store = database.store().await.unwrap();
    // What waited is told, and confirmed.
    assert_eq!(store.pending_relations(9).await.unwrap(), [(Uid(1), vec![Uid(2)], 0)]);
    store.finish_relations(Uid(1), &[Uid(2)], 0).await.unwrap();
    assert_eq!(store.pending_relations(9).await.unwrap(), []);
    assert_eq!(store.pending_shields(0, 9).await.unwrap().len(), 1);
    let kept = client.query_one("SELECT value FROM counters WHERE name = 'roster'", &[]).await.unwrap();
    assert_eq!(kept.get::<_, i64>(0), 10_000_077);
}
