//! The command line: commands, and a flag for each setting.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use mynah_runtime::settings::{Key, Problems, Sources, read};

use mynah::settings::{Settings, keys};

/// A self-hosted instant-messaging backend in one process.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// A TOML file of settings. Environment variables MYNAH_… win over it, and flags over both.
    #[arg(long, env = "MYNAH_CONFIG", global = true)]
    config: Option<PathBuf>,
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
    let with_settings = keys.iter().fold(Cli::command(), |command, key| {
        command.arg(Arg::new(key.name).long(key.flag()).value_name("VALUE").help(key.help).global(true))
    });
    let matches = with_settings.get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let sources = Sources { file: cli.config.as_deref(), environment: environment(), flags: flags(&keys, &matches) };
    let settings = read(&keys, &sources)?;
    Ok((cli, settings))
}

fn flags(keys: &[Key<Settings>], matches: &ArgMatches) -> Vec<(String, String)> {
    let given = keys.iter().filter_map(|key| Some((key.name.to_owned(), matches.get_one::<String>(key.name)?.clone())));
    given.collect()
}

/// Variables that are no UTF-8 are none of ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}
