//! The directory as a process: apps, users, groups, rooms; and the operator's commands on its database.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{FromArgMatches as _, Subcommand as _};
use mynah_directory::{Deps, Directory, Operator, SecretKey};
use mynah_ports::Presence;
use mynah_proto::directory::directory_server::DirectoryServer;
use mynah_proto::{DirectoryClient, GatewayClient, probe};
use mynah_types::SystemClock;
use tonic::service::Routes;

use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::{engines, peers};

/// Runs it, or a command.
#[must_use]
pub fn main() -> ExitCode {
    let about = "Apps, users, groups and rooms of a mynah deployment; without a command it serves";
    let command = mynah_operator::Command::augment_subcommands(process::command("directory", about)).subcommand_required(false);
    let matches = command.get_matches();
    match mynah_operator::Command::from_arg_matches(&matches) {
        Ok(command) => process::run("directory", &matches, |settings| operate(settings, command)),
        // No command: it serves.
        Err(_) => process::run("directory", &matches, run),
    }
}

async fn operate(settings: Settings, command: mynah_operator::Command) -> Outcome {
    settings.require(&[("directory_database", !settings.directory_database.is_empty())])?;
    existing_key(&settings)?;
    let store = mynah_postgres_directory::PostgresDirectory::open_at(&engines::directory_address(&settings)?, 2).await?;
    let operator = Operator::new(Arc::new(store), &settings.secret_key_file, Arc::new(SystemClock));
    mynah_operator::run(&operator, command).await.map_err(|error| error.to_string().into())
}

async fn run(settings: Settings) -> Outcome {
    settings.require(&[
        ("routers", !settings.routers.is_empty()),
        ("directory_database", !settings.directory_database.is_empty()),
        ("redis", !settings.redis.is_empty()),
    ])?;
    let key = existing_key(&settings)?;
    let process = Process::begin(settings).await?;
    let presence: Arc<dyn Presence> = Arc::new(engines::reader(&process)?);
    // Before anything is waited for: settings that cannot be had are refused at once.
    let changes = engines::changes(&process)?;
    let store = engines::directory_store(&process).await?;
    let deps = Deps {
        store,
        router: peers::router(&process),
        gateway: GatewayClient::local(peers::fleet(&process, presence)),
        clock: Arc::clone(&process.clock) as _,
        key,
        settings: one_of_several(process.settings.product.directory()),
    };
    let directory = match changes {
        Some(changes) => Directory::announcing(deps, changes),
        None => Directory::new(deps),
    };
    let outbox = directory.clone();
    tokio::spawn(async move { outbox.run_outbox().await });
    let asked = DirectoryClient::local(directory.clone());
    let ready = move || {
        let asked = asked.clone();
        async move { probe::directory(&asked).await }
    };
    process.serve_by(ready, Routes::new(DirectoryServer::new(directory))).await
}

/// What another process changes is seen at once, and what it left is soon worked off.
fn one_of_several(settings: mynah_directory::Settings) -> mynah_directory::Settings {
    mynah_directory::Settings {
        process: process::new_id() >> 1,
        cached_users: 0,
        cached_rosters: 0,
        outbox_poll: Duration::from_secs(1),
        outbox_backoff_max: Duration::from_secs(2),
        ..settings
    }
}

/// The key has to be there: one that each process made for itself would open nothing of what the others sealed.
fn existing_key(settings: &Settings) -> Outcome<SecretKey> {
    let path = &settings.secret_key_file;
    if !path.exists() {
        let shown = path.display();
        return Err(format!(
            "secret_key_file: {shown} is not there; make it once for all directories: head -c 32 /dev/urandom > {shown}"
        )
        .into());
    }
    Ok(SecretKey::open_or_create(path)?)
}
