//! `mynah callback …`: beside a running server, which sees a change within a second.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use mynah::embedded::operator;
use mynah_directory::CallbackRule;

use crate::cli::CallbackAction;

/// Runs one command and prints its outcome.
#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
pub async fn run(data_dir: &Path, action: CallbackAction) -> Result<(), Box<dyn Error>> {
    let store = Arc::new(mynah_sqlite::SqliteDirectory::open(data_dir.join("directory.db"))?);
    let operator = operator(data_dir, store);
    match action {
        CallbackAction::Set { appkey, url, with_master_secret, allow_private } => {
            let rule = CallbackRule { url, with_master_secret, allow_private };
            println!("secret: {}", operator.set_callback(&appkey, rule).await?);
        }
        CallbackAction::Rotate { appkey, done } => println!("secret: {}", operator.rotate_callback(&appkey, done).await?),
        CallbackAction::Remove { appkey } => operator.remove_callback(&appkey).await?,
        CallbackAction::Show { appkey } => match operator.callback(&appkey).await? {
            None => println!("none"),
            Some(rule) => {
                let flags = [(rule.with_master_secret, "with-master-secret"), (rule.allow_private, "allow-private")];
                let set: String = flags.iter().filter(|(set, _)| *set).map(|(_, name)| format!("  ({name})")).collect();
                println!("{}{set}", rule.url);
            }
        },
    }
    Ok(())
}
