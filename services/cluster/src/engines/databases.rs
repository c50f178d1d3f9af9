//! PostgreSQL: the message log, and the directory's store.

use std::sync::Arc;

use mynah_ports::{DirectoryStore, directory_store};
use mynah_postgres_directory::PostgresDirectory;
use mynah_postgres_log::{OpenError, Options, ShardedLog};

use crate::process::{Outcome, Process, Wait};

/// The message log, once it is reachable: with all of its databases, or with those that are there if it has served before.
pub(crate) async fn log(process: &Process, all: bool) -> Outcome<ShardedLog> {
    let settings = &process.settings;
    let options = Options { readers: settings.database_connections, ..Options::default() };
    let open = async || {
        let databases = &settings.log_database;
        let opened = match all {
            true => ShardedLog::open(databases, &options).await,
            false => ShardedLog::open_available(databases, &options).await,
        };
        opened.map_err(|error| match error {
            OpenError::Unavailable(why) => Wait::Longer(why),
            fatal => Wait::Never(format!("log_database: {fatal}").into()),
        })
    };
    process.readiness.until("the message log's database", open).await
}

/// The directory's store, once it is reachable.
pub(crate) async fn directory_store(process: &Process) -> Outcome<Arc<dyn DirectoryStore>> {
    let settings = &process.settings;
    let open = async || {
        let opened = PostgresDirectory::open(&settings.directory_database, settings.database_connections).await;
        opened.map_err(|error| match error {
            directory_store::Error::Unavailable(why) => Wait::Longer(why),
            fatal => Wait::Never(fatal.into()),
        })
    };
    let store = process.readiness.until("the directory's database", open).await?;
    Ok(Arc::new(store))
}
