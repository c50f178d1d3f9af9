//! The store's contract over SQLite, and what is SQLite's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

use std::sync::Arc;

use mynah_ports::DirectoryStore;
use mynah_ports::contract::directory_store::Harness;
use mynah_ports::directory_store::{AppRules, Error, NewApp};
use mynah_sqlite::SqliteDirectory;
use mynah_types::AppKey;

struct Folder(tempfile::TempDir);

impl Harness for Folder {
    fn open(&self) -> Arc<dyn DirectoryStore> {
        Arc::new(SqliteDirectory::open(self.0.path().join("directory.db")).unwrap())
    }
}

fn fresh() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

mynah_ports::directory_store_contract!(fresh);

#[test]
fn starters_that_meet_migrate_once() {
    let folder = fresh();
    std::thread::scope(|scope| {
        let starters: Vec<_> = (0..8).map(|_| scope.spawn(|| folder.open())).collect();
        for starter in starters {
            drop(starter.join().unwrap());
        }
    });
    let path = folder.0.path().join("directory.db");
    let db = rusqlite::Connection::open(path).unwrap();
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 9);
}

#[tokio::test]
async fn a_file_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_holds() {
    let folder = fresh();
    let db = rusqlite::Connection::open(folder.0.path().join("directory.db")).unwrap();
    db.execute_batch(include_str!("../migrations/0001_directory.sql")).unwrap();
    db.execute_batch("PRAGMA user_version = 1; UPDATE counters SET value = 10000077 WHERE name = 'roster'").unwrap();
    drop(db);
    let store = folder.open();
    assert_eq!(store.friends(mynah_types::Uid(1)).await.unwrap(), []);
    let db = rusqlite::Connection::open(folder.0.path().join("directory.db")).unwrap();
    let kept: u64 = db.query_row("SELECT value FROM counters WHERE name = 'roster'", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 10_000_077);
}

#[test]
fn a_file_of_a_newer_version_is_refused_by_name() {
    let folder = fresh();
    drop(folder.open());
    let path = folder.0.path().join("directory.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let refused = SqliteDirectory::open(&path).err().unwrap().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = fresh();
    let path = folder.0.path().join("directory.db");
    std::fs::write(&path, "this is a text, and long enough not to be taken for an empty file".repeat(20)).unwrap();
    assert!(matches!(SqliteDirectory::open(&path), Err(Error::Damaged(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = fresh();
    let store = folder.open();
    let app = NewApp {
        key: AppKey::parse("0123456789abcdef01234567").unwrap(),
        name: "an app".into(),
        secret_digest: vec![],
        secret_sealed: vec![],
        demo: false,
        rules: AppRules::default(),
        ctime: 1,
    };
    store.create_app(app, false).await.unwrap();
    for file in std::fs::read_dir(folder.0.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

/// An operator's command writes beside the server; neither loses the other's rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_one_file_take_turns() {
    let folder = fresh();
    let stores = [folder.open(), folder.open()];
    let key = |i: usize| AppKey::parse(&format!("{i:024x}")).unwrap();
    let writes = (0..40).map(|i| {
        let store = Arc::clone(&stores[i % 2]);
        let app = NewApp {
            key: key(i),
            name: "an app".into(),
            secret_digest: vec![],
            secret_sealed: vec![],
            demo: false,
            rules: AppRules::default(),
            ctime: 1,
        };
        tokio::spawn(async move { store.create_app(app, false).await.unwrap() })
    });
    for write in writes.collect::<Vec<_>>() {
        assert!(write.await.unwrap().is_some());
    }
    assert_eq!(stores[0].apps().await.unwrap().len(), 40);
}
