//! PostgreSQL: the message log, and the directory's store.

use std::error::Error;
use std::sync::Arc;

use mynah_ports::{DirectoryStore, directory_store};
use mynah_postgres_directory::{self as directory, Address, PostgresDirectory};
use mynah_postgres_log::{OpenError, Options, ShardedLog};

use super::protection::{authorities, hinted, tell};
use crate::process::{Outcome, Process, Wait};
use crate::settings::Settings;

/// The message log, once it is reachable: with all of its databases, or with those that are there if it has served before.
pub(crate) async fn log(process: &Process, all: bool) -> Outcome<ShardedLog> {
    let settings = &process.settings;
    for database in settings.log_database.iter() {
        tell(settings, "log_database", address("log_database", &database.url, settings)?.is_encrypted());
    }
    let options = log_options(settings, process.authorities.clone());
    let open = async || {
        let databases = &settings.log_database;
        let opened = match all {
            true => ShardedLog::open(databases, &options).await,
            false => ShardedLog::open_available(databases, &options).await,
        };
        opened.map_err(|error| match error {
            OpenError::Unavailable(why) => Wait::Longer(hinted(why)),
            fatal => Wait::Never(refused(&fatal)),
        })
    };
    process.readiness.until("the message log's database", open).await
}

/// The message log with all of its databases, which have to be there now.
pub(crate) async fn whole_log(settings: &Settings) -> Outcome<ShardedLog> {
    let options = log_options(settings, authorities(settings)?);
    ShardedLog::open(&settings.log_database, &options).await.map_err(|error| refused(&error))
}

fn log_options(settings: &Settings, authorities: Option<String>) -> Options {
    Options { readers: settings.database_connections, authorities, ..Options::default() }
}

fn refused(error: &OpenError) -> Box<dyn Error + Send + Sync> {
    format!("log_database: {error}").into()
}

/// The directory's store, once it is reachable.
pub(crate) async fn directory_store(process: &Process) -> Outcome<Arc<dyn DirectoryStore>> {
    let settings = &process.settings;
    let address = directory_address(settings)?;
    tell(settings, "directory_database", address.is_encrypted());
    let open = async || {
        let opened = PostgresDirectory::open_at(&address, settings.database_connections).await;
        opened.map_err(|error| match error {
            directory::OpenError::Store(directory_store::Error::Unavailable(why)) => Wait::Longer(hinted(why)),
            fatal => Wait::Never(format!("directory_database: {fatal}").into()),
        })
    };
    let store = process.readiness.until("the directory's database", open).await?;
    Ok(Arc::new(store))
}

/// Where the directory's database is.
pub(crate) fn directory_address(settings: &Settings) -> Outcome<Address> {
    address("directory_database", &settings.directory_database, settings)
}

fn address(named_by: &str, url: &str, settings: &Settings) -> Outcome<Address> {
    let address = Address::read(url, authorities(settings)?.as_deref());
    address.map_err(|error| format!("bad settings:\n  {named_by}: {error}").into())
}
