//! Opening a file and bringing its schema up to date.

use std::path::Path;
use std::time::{Duration, Instant};

use mynah_ports::directory_store::Error;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::engine::failed;

/// One script per version of the schema. Never edited once released; `user_version` counts those that ran.
const MIGRATIONS: [&str; 9] = [
    include_str!("../migrations/0001_directory.sql"),
    include_str!("../migrations/0002_friends.sql"),
    include_str!("../migrations/0003_switches.sql"),
    include_str!("../migrations/0004_words.sql"),
    include_str!("../migrations/0005_feeds_and_grants.sql"),
    include_str!("../migrations/0006_media.sql"),
    include_str!("../migrations/0007_activity.sql"),
    include_str!("../migrations/0008_callbacks.sql"),
    include_str!("../migrations/0009_processes.sql"),
];

/// How long another process may hold the file: an operator's command or another starter takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// Statements kept prepared per connection: more than the adapter has.
const STATEMENTS: usize = 128;

/// Opens a connection with the adapter's settings.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    let conn = Connection::open(path).map_err(failed)?;
    conn.busy_timeout(BUSY).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    use_wal(&conn)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;").map_err(failed)?;
    Ok(conn)
}

/// Only the file's owner may read it: it holds the forms of passwords. SQLite gives its side files the same mode.
pub(crate) fn create_private(path: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|e| Error::Unavailable(format!("{}: {e}", path.display())))
}

/// Switching a new file to WAL does not wait for the busy timeout when two starters meet, so it is tried again.
fn use_wal(conn: &Connection) -> Result<(), Error> {
    let deadline = Instant::now() + BUSY;
    loop {
        match conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(Error::Unavailable(format!("the folder does not take a write-ahead log (got {mode})"))),
            Err(e) if is_busy(&e) && Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Err(e) => return Err(failed(e)),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Runs what is missing, in one transaction that holds the write lock from its start: of several starters the first migrates,
/// the others find nothing to do.
pub(crate) fn migrate(conn: &mut Connection) -> Result<(), Error> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version: usize = tx.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let Some(missing) = MIGRATIONS.get(version..) else {
        let known = MIGRATIONS.len();
        return Err(Error::Unavailable(format!(
            "the file has schema {version}, made by a newer version; this one knows {known}"
        )));
    };
    if missing.is_empty() {
        return Ok(());
    }
    for script in missing {
        tx.execute_batch(script).map_err(failed)?;
    }
    tx.execute_batch(&format!("PRAGMA user_version = {}", MIGRATIONS.len())).map_err(failed)?;
    tx.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each older version with a row in every table comes up to date and keeps its rows.
    #[test]
    fn a_file_of_any_older_version_is_brought_up_to_date_with_what_it_holds() {
        for version in 1..=MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.db");
            let mut conn = open(&path).unwrap();
            for script in &MIGRATIONS[..version] {
                conn.execute_batch(script).unwrap();
            }
            conn.execute_batch(&format!("PRAGMA user_version = {version}; PRAGMA foreign_keys = OFF")).unwrap();
            let tables = tables(&conn);
            let before: Vec<_> = tables.iter().map(|table| (table.clone(), fill(&conn, table))).collect();
            migrate(&mut conn).unwrap();
            let count = |table: &String| -> i64 {
                conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
            };
            for (table, rows) in before {
                assert!(count(&table) >= rows, "{table} since {version}");
            }
        }
    }

    fn tables(conn: &Connection) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut tables = conn.prepare(sql).unwrap();
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Adds a row with a value in each column; says how many rows there are then.
    fn fill(conn: &Connection, table: &str) -> i64 {
        let mut described = conn.prepare(&format!("SELECT type FROM pragma_table_info('{table}')")).unwrap();
        let types = described.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let values: Vec<&str> = types
            .map(|kind| match kind.unwrap().as_str() {
                "INTEGER" => "1",
                "BLOB" => "x'31'",
                _ => "'1'",
            })
            .collect();
        conn.execute(&format!("INSERT OR REPLACE INTO {table} VALUES ({})", values.join(",")), []).unwrap();
        conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_connection_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let conn = open(&folder.path().join("a.db")).unwrap();
        let setting = |name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(setting("journal_mode"), "wal");
        let synchronous: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(synchronous, 2, "FULL");
    }
}
