//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use mynah_loadtest::{Failed, any_seed, bench, changes, command, crash, faults, machine, report, stall};

// Many small buffers that come and go: the system's allocator costs the generator a part of its core.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "loadtest", about = "Drives a mynah deployment from outside and judges it by what clients saw")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Drives a deployment by a scenario, and judges it
    Run(Box<command::Run>),
    /// Looks for the highest rate that holds
    Search(Box<command::Search>),
    /// A run of hours, with the growth of the servers' memory
    Soak(Box<command::Soak>),
    /// Works for a coordinator: `run --agents`
    Agent(command::Agent),
    /// Names the scenarios that are built in
    Scenarios,
    /// Kills a server of its own again and again under load; nothing acknowledged may be lost, doubled or reordered
    Crash {
        /// The mynah binary
        #[arg(long)]
        binary: PathBuf,
        /// How often it is killed
        #[arg(long, default_value_t = 20)]
        kills: u32,
        /// Users, with a device each
        #[arg(long, default_value_t = 300)]
        users: usize,
        /// Decides the plan; random if absent
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Kills a server of its own while friendships and groups change; each change is whole, and told once
    Changes {
        /// The mynah binary
        #[arg(long)]
        binary: PathBuf,
        /// How often it is killed
        #[arg(long, default_value_t = 20)]
        kills: u32,
        /// Decides the plan; random if absent
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Starts a distributed deployment of its own and kills, stops and empties its parts under load
    Faults {
        /// The folder of the binaries gateway, directory, router and report
        #[arg(long)]
        binaries: PathBuf,
        /// A folder of binaries of another version: the second gateway, directory and router come from there, as far as it has them
        #[arg(long)]
        skewed: Option<PathBuf>,
        /// Databases of the message log; 1 for binaries that know of one only
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
        log_databases: u8,
        /// How many faults: each once, then at random
        #[arg(long, default_value_t = 17)]
        rounds: u32,
        /// Only faults of this name
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(faults::Fault::names()))]
        only: Option<String>,
        /// How long the bus is away, in seconds
        #[arg(long, default_value_t = 6)]
        away: u64,
        /// Users, with a device each
        #[arg(long, default_value_t = 200)]
        users: usize,
        /// The longest pause of a user between two messages, in milliseconds
        #[arg(long, default_value_t = 1000)]
        pause_ms: u64,
        /// Decides the plan; random if absent
        #[arg(long)]
        seed: Option<u64>,
    },
    /// One device stops reading while its group is busy
    Stall {
        /// The mynah binary
        #[arg(long)]
        binary: PathBuf,
        /// Messages of a round while the device does not read
        #[arg(long, default_value_t = 2000)]
        messages: u64,
    },
    /// Measures the message path beside its floors
    Bench(bench::Plan),
    /// Tells whether the runs B are worse than the runs A; the exit status says it too
    Compare(report::commands::Compare),
    /// Shows the report of a run again
    Report(report::commands::Show),
    /// A floor, for `bench`
    #[command(hide = true, subcommand)]
    Bare(bench::Bare),
}

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    match run(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "the report is this program's answer")]
fn run(command: Command) -> Result<bool, Failed> {
    machine::small_pages()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Run(run) => runtime.block_on(run.run()),
        Command::Search(search) => runtime.block_on(search.run()),
        Command::Soak(soak) => runtime.block_on(soak.run()),
        Command::Agent(agent) => agent.run(),
        Command::Scenarios => command::scenarios(),
        Command::Crash { binary, kills, users, seed } => {
            let plan = crash::Plan { binary, kills, users, seed: seed.unwrap_or_else(any_seed) };
            let outcome = runtime.block_on(crash::run(&plan))?;
            println!("{}\n{}", outcome.figures, outcome.verdict);
            Ok(outcome.verdict.is_clean())
        }
        Command::Faults { binaries, skewed, log_databases, rounds, only, away, users, pause_ms, seed } => {
            let (log_databases, away) = (log_databases.into(), Duration::from_secs(away));
            let seed = seed.unwrap_or_else(any_seed);
            let plan = faults::Plan { binaries, skewed, log_databases, rounds, only, away, users, pause_ms, seed };
            let outcome = runtime.block_on(faults::run(&plan))?;
            println!("{}\n{}", outcome.figures, outcome.verdict);
            Ok(outcome.verdict.is_clean())
        }
        Command::Changes { binary, kills, seed } => {
            let plan = changes::Plan { binary, kills, seed: seed.unwrap_or_else(any_seed) };
            println!("{}", runtime.block_on(changes::run(&plan))?);
            Ok(true)
        }
        Command::Stall { binary, messages } => {
            let (verdict, figures) = runtime.block_on(stall::run(&stall::Plan { binary, messages }))?;
            println!("{figures}\n{verdict}");
            Ok(verdict.is_clean())
        }
        Command::Bench(plan) => {
            println!("{:#}", runtime.block_on(bench::run(&plan))?);
            Ok(true)
        }
        Command::Compare(args) => {
            let (text, fine) = report::commands::run_compare(&args)?;
            print!("{text}");
            Ok(fine)
        }
        Command::Report(args) => {
            print!("{}", report::commands::run_show(&args)?);
            Ok(true)
        }
        Command::Bare(what) => runtime.block_on(bench::bare(what)).map(|()| true),
    }
}
