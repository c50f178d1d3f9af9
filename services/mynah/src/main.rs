//! The embedded binary: every service in one process, and the operator's commands.

mod apps;
mod callback;
mod cli;
mod import;
mod serve;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use cli::{Cli, Command};
use mynah::settings::Settings;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = cli::read_all().map_err(Into::into).and_then(|(cli, settings)| run(cli, &settings));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever read it may be gone; the status tells all the same.
            _ = writeln!(std::io::stderr(), "mynah: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let filter: EnvFilter = settings.log.parse()?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(filter)
        // A line that cannot be written is let go: to complain of it on the same pipe would panic in the midst of the work.
        .log_internal_errors(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        None | Some(Command::Serve) => runtime.block_on(serve::serve(settings)),
        Some(Command::App { json, action }) => runtime.block_on(apps::run(&settings.data_dir, json, action)),
        Some(Command::Callback { action }) => runtime.block_on(callback::run(&settings.data_dir, action)),
    }
}
