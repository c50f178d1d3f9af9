//! The operator's commands on apps and callbacks, for every binary that has a directory at hand.
//!
//! It owns how they are typed and what they print. It knows the directory's operator, and no store.

mod apps;
mod callback;
mod command;
mod import;

pub use command::{AppAction, CallbackAction, Command};

use std::error::Error;

use mynah_directory::Operator;

/// Runs one command and prints its outcome. Beside a running server, which sees a change within a second.
///
/// # Errors
/// What the operator has to know.
pub async fn run(operator: &Operator, command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::App { json, action } => apps::run(operator, json, action).await,
        Command::Callback { action } => callback::run(operator, action).await,
    }
}
