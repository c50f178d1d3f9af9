//! `mynah app …`: beside a running server, which sees a change within a second.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use mynah_directory::{Credentials, Operator};
use mynah_ports::DirectoryStore;
use mynah_types::SystemClock;

use crate::cli::AppAction;

/// The operator's hand on a data folder.
pub fn operator(data_dir: &Path, store: Arc<dyn DirectoryStore>) -> Operator {
    Operator::new(store, data_dir.join("secret.key"), Arc::new(SystemClock))
}

/// Runs one command and prints its outcome.
#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
pub async fn run(data_dir: &Path, json: bool, action: AppAction) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(data_dir)?;
    let store = Arc::new(mynah_sqlite::SqliteDirectory::open(data_dir.join("directory.db"))?);
    let operator = operator(data_dir, store);
    match action {
        AppAction::Create { name } => print(json, &operator.create_app(&name).await?),
        AppAction::RotateSecret { appkey } => print(json, &operator.rotate_secret(&appkey).await?),
        AppAction::Disable { appkey } => operator.disable_app(&appkey).await?,
        AppAction::List => {
            for app in operator.list_apps().await? {
                if json {
                    println!("{}", serde_json::json!({"appkey": app.key.as_str(), "name": app.name, "disabled": app.disabled}));
                } else {
                    println!("{}  {}{}", app.key, app.name, if app.disabled { "  (disabled)" } else { "" });
                }
            }
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
fn print(json: bool, made: &Credentials) {
    let (appkey, secret) = (made.appkey.to_string(), made.master_secret.to_string());
    if json {
        println!("{}", serde_json::json!({"appkey": appkey, "master_secret": secret}));
    } else {
        println!("appKey:       {appkey}\nmasterSecret: {secret}");
    }
}
