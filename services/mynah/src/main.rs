//! The embedded binary: every service in one process, and the operator's commands.

mod apps;
mod cli;
mod serve;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mynah: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        None | Some(Command::Serve) => runtime.block_on(serve::serve(&cli.data_dir, &cli.serve)),
        Some(Command::App { json, action }) => runtime.block_on(apps::run(&cli.data_dir, json, action)),
    }
}
