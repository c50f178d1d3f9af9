//! The command line: commands, and a flag for each setting.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use mynah_runtime::flags;
use mynah_runtime::settings::Problems;

use mynah::settings::{Settings, keys};

/// A self-hosted instant-messaging backend in one process.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until a signal.
    Serve,
    /// Manage apps and their callbacks, before or beside a running server.
    #[command(flatten)]
    Operate(mynah_operator::Command),
}

/// Reads the command line, and the settings from everywhere. A command line that is wrong ends the process with its usage.
pub fn read_all() -> Result<(Cli, Settings), Problems> {
    let keys = keys();
    let matches = flags::with_settings(Cli::command(), &keys).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((cli, flags::settings(&keys, &matches)?))
}
