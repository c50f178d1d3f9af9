//! One server for the tests of a binary, and a database for each.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use mynah_engines::PostgreSql;
use mynah_ports::DirectoryStore;
use mynah_ports::contract::directory_store::Harness;
use mynah_ports::directory_store::{AppRules, Error, NewApp, NewUser, Profile, Refusal};
use mynah_postgres_directory::{OpenError, PostgresDirectory};
use mynah_types::{AppId, AppKey, Uid, Username};
use tokio_postgres::NoTls;

static SERVER: OnceLock<PostgreSql> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database of its own on the server that all tests share.
pub struct Database {
    url: String,
}

pub fn fresh() -> Database {
    let server = SERVER.get_or_init(|| PostgreSql::start().unwrap());
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.create_database(&name).unwrap();
    Database { url: server.url(&name) }
}

impl Database {
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn store(&self) -> Result<PostgresDirectory, OpenError> {
        PostgresDirectory::open(&self.url, 8).await
    }

    /// A connection beside the store's.
    pub async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// How many transactions the engine ended because they waited for one another. The stores are closed by then.
    pub async fn deadlocks(&self) -> i64 {
        let client = self.client().await;
        // Each connection adds its count when it ends.
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while client.query_one(others, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::task::yield_now().await;
        }
        let ended = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        client.query_one(ended, &[]).await.unwrap().get(0)
    }
}

impl Harness for Database {
    fn open(&self) -> Arc<dyn DirectoryStore> {
        let opened = || tokio::runtime::Handle::current().block_on(self.store());
        Arc::new(tokio::task::block_in_place(opened).unwrap())
    }
}

pub async fn app(store: &dyn DirectoryStore) -> AppId {
    let app = NewApp {
        key: AppKey::parse("0123456789abcdef01234567").unwrap(),
        name: "an app".into(),
        secret_digest: vec![1; 32],
        secret_sealed: vec![2; 40],
        demo: false,
        rules: AppRules::default(),
        ctime: 5,
    };
    store.create_app(app, false).await.unwrap().unwrap().id
}

pub fn new_user(name: &str) -> NewUser {
    NewUser { username: Username::parse(name).unwrap(), password: "pw1".into(), admin: false, profile: Profile::default() }
}

/// Registers `user0` and so on.
pub async fn users(store: &dyn DirectoryStore, app: AppId, count: usize) -> Vec<Uid> {
    let new = (0..count).map(|number| new_user(&format!("user{number}"))).collect();
    store.insert_users(app, new, 10).await.unwrap().into_iter().map(Option::unwrap).collect()
}

/// None: it was done. What is no refusal fails the test.
pub fn refused<T>(outcome: Result<T, Error>) -> Option<Refusal> {
    match outcome {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("neither done nor refused: {other}"),
    }
}
