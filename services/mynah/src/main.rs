//! The embedded binary: every service in one process, and the operator's commands.

mod cli;
mod serve;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cli::{Cli, Command};
use mynah::settings::Settings;
use mynah_runtime::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the end waits for work that blocks a thread.
const END_WITHIN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    process::end("mynah", cli::read_all().map_err(Into::into).and_then(|(cli, settings)| run(cli, &settings)))
}

fn run(cli: Cli, settings: &Settings) -> Result<(), Box<dyn Error>> {
    process::log_lines(&settings.product.log)?;
    let runtime = process::runtime("mynah")?;
    let done = match cli.command {
        None | Some(Command::Serve) => runtime.block_on(serve::serve(settings)),
        Some(Command::Operate(command)) => runtime.block_on(operate(settings, command)),
    };
    // A disk that stands still would hold the process; what it was asked to write has no answer that anybody waits for.
    runtime.shutdown_timeout(END_WITHIN);
    done
}

async fn operate(settings: &Settings, command: mynah_operator::Command) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(&settings.data_dir)?;
    let store = Arc::new(mynah_sqlite::SqliteDirectory::open(settings.data_dir.join("directory.db"))?);
    mynah_operator::run(&mynah::embedded::operator(&settings.data_dir, store), command).await
}
