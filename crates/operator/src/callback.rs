//! `callback …`: where an app's server is told of messages.

use std::error::Error;

use mynah_directory::{CallbackRule, Operator};

use crate::command::CallbackAction;

/// Runs one command and prints its outcome.
#[allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]
pub(crate) async fn run(operator: &Operator, action: CallbackAction) -> Result<(), Box<dyn Error>> {
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
