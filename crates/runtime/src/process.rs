//! How a process begins and ends: log lines on standard error, listeners, the signal, the last word.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Writes log lines to standard error from now on, those that the filter lets through.
///
/// # Errors
/// The filter does not read.
pub fn log_lines(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: EnvFilter = filter.parse()?;
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        // A line that cannot be written is let go: to complain of it on the same pipe would panic in the midst of the work.
        .log_internal_errors(false)
        .init();
    Ok(())
}

/// Listens; the error names the address.
///
/// # Errors
/// The address is taken, or not of this machine.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// Returns when the process is asked to end: SIGTERM, or Ctrl-C.
pub async fn signal() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without the handler the system's own ending applies.
        Err(_) => std::future::pending().await,
    }
}

/// The status of a program, with the reason of a failure on standard error.
pub fn end(name: &str, done: Result<(), impl Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever read it may be gone; the status tells all the same.
            _ = writeln!(io::stderr(), "{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
