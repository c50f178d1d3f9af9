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

/// The runtime of a process that answers others: a thread a processor, by the program's name, and memory in small pages.
///
/// # Errors
/// The system gives no threads.
pub fn runtime(name: &str) -> io::Result<tokio::runtime::Runtime> {
    small_pages();
    tokio::runtime::Builder::new_multi_thread().thread_name(name).enable_all().build()
}

/// A huge page is cleared in one go when it is touched first, which takes up to 5 ms on a virtual machine, and everybody on that
/// thread waits. The allocator asks for them where the system leaves it to programs.
#[cfg(target_os = "linux")]
fn small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!(%error, "huge pages are not switched off: some answers will come a few ms later");
    }
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}

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
