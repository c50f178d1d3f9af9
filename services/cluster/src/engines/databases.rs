//! PostgreSQL: the message log, and the directory's store.

use std::sync::Arc;

use mynah_ports::{DirectoryStore, directory_store};
use mynah_postgres_directory::{Address, PostgresDirectory};
use mynah_postgres_log::{OpenError, Options, PostgresLog};

use super::protection::{authorities, hinted, tell};
use crate::process::{Outcome, Process, Wait};
use crate::settings::Settings;

/// The message log, once it is reachable.
pub(crate) async fn log(process: &Process) -> Outcome<PostgresLog> {
    let settings = &process.settings;
    tell(settings, "log_database", address("log_database", &settings.log_database, settings)?.is_encrypted());
    let authorities = process.authorities.clone();
    let options = Options { readers: settings.database_connections, authorities, ..Options::default() };
    let open = async || {
        PostgresLog::open(&settings.log_database, &options).await.map_err(|error| match error {
            OpenError::Unavailable(why) => Wait::Longer(hinted(why)),
            fatal => Wait::Never(fatal.into()),
        })
    };
    process.readiness.until("the message log's database", open).await
}

/// The directory's store, once it is reachable.
pub(crate) async fn directory_store(process: &Process) -> Outcome<Arc<dyn DirectoryStore>> {
    let settings = &process.settings;
    let address = directory_address(settings)?;
    tell(settings, "directory_database", address.is_encrypted());
    let open = async || {
        let opened = PostgresDirectory::open_at(&address, settings.database_connections).await;
        opened.map_err(|error| match error {
            directory_store::Error::Unavailable(why) => Wait::Longer(hinted(why)),
            fatal => Wait::Never(fatal.into()),
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
