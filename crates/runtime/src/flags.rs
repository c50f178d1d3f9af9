//! The command line of a program with settings: a flag for each, and one for the file.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::settings::{Key, Problems, Sources, read};

/// Adds the flags to a command, for its subcommands too.
#[must_use]
pub fn with_settings<S>(command: Command, keys: &[Key<S>]) -> Command {
    let config = Arg::new("config").long("config").env("MYNAH_CONFIG").value_name("FILE").global(true);
    let command =
        command.arg(config.help("A TOML file of settings. Environment variables MYNAH_… win over it, and flags over both"));
    keys.iter().fold(command, |command, key| {
        command.arg(Arg::new(key.name).long(key.flag()).value_name("VALUE").help(key.help).global(true))
    })
}

/// Reads the settings from the file, the environment and the flags.
///
/// # Errors
/// See [`read`].
pub fn settings<S: Default>(keys: &[Key<S>], matches: &ArgMatches) -> Result<S, Problems> {
    let file = matches.get_one::<String>("config").map(PathBuf::from);
    let flags = keys.iter().filter_map(|key| Some((key.name.to_owned(), matches.get_one::<String>(key.name)?.clone())));
    // Variables that are no UTF-8 are none of ours.
    let variables = std::env::vars_os();
    let environment = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    read(keys, &Sources { file: file.as_deref(), environment: environment.collect(), flags: flags.collect() })
}
