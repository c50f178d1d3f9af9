//! The embedded binary: every service in one process, and the operator's commands.

mod cli;
mod serve;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

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
    let filter: EnvFilter = settings.product.log.parse()?;
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
        Some(Command::Operate(command)) => runtime.block_on(operate(settings, command)),
    }
}

async fn operate(settings: &Settings, command: mynah_operator::Command) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(&settings.data_dir)?;
    let store = Arc::new(mynah_sqlite::SqliteDirectory::open(settings.data_dir.join("directory.db"))?);
    mynah_operator::run(&mynah::embedded::operator(&settings.data_dir, store), command).await
}
