//! A child process that ends with its handle.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::EngineError;

/// The pause between two looks at a starting engine.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a graceful end may take.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A running engine.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    killed: bool,
    guard: Child,
}

/// Below those that the system gives to outgoing connections, one of which could take a port between its choice and its use.
const PORTS: std::ops::Range<u16> = 10_240..32_000;

/// A port that nobody has now. Each call gives another one.
///
/// # Errors
/// When the system gives none.
pub fn free_port() -> std::io::Result<u16> {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    // Processes that look at the same time begin apart.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(7919)));
    for _ in PORTS {
        let place = next.fetch_add(1, Ordering::Relaxed) % u32::try_from(PORTS.len()).unwrap_or(1);
        let port = PORTS.start + u16::try_from(place).unwrap_or(0);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(std::io::ErrorKind::AddrNotAvailable.into())
}

impl Process {
    /// Starts a program with its output in a file, and waits until `ready` says that it serves.
    ///
    /// # Errors
    /// When it is not installed, ends, or is not ready within `within`.
    pub fn start(
        command: &mut Command,
        hint: &str,
        log: &Path,
        within: Duration,
        ready: impl Fn() -> bool,
    ) -> Result<Self, EngineError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = std::fs::File::create(log)?;
        let errors = output.try_clone()?;
        let spawned = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = spawned.map_err(|error| match error.kind() {
            ErrorKind::NotFound => EngineError::Missing { program: name.clone(), hint: hint.to_owned() },
            _ => EngineError::System(error),
        })?;
        let guard = guard(child.id())?;
        let mut process = Self { child, name, killed: false, guard };
        let until = Instant::now() + within;
        while !ready() {
            let ended = process.child.try_wait()?;
            if ended.is_some() || Instant::now() > until {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                let tail: Vec<&str> = said.lines().rev().take(10).collect();
                let why = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(EngineError::Start { program: process.name.clone(), why });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(process)
    }

    /// Its process id; 0 after it was killed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        if self.killed { 0 } else { self.child.id() }
    }

    /// Sends it a signal: stop, continue, terminate. One that is stopped stands still when this returns.
    pub fn signal(&self, signal: Signal) {
        // A child that was not waited for keeps its id, so that it is nobody else's.
        _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
        if signal == Signal::STOP {
            // A stop takes hold of each thread when that is to run next: on a busy machine the program goes on for a while.
            let until = Instant::now() + END_WITHIN;
            while !stands_still(self.child.id()) && Instant::now() < until {
                std::thread::sleep(LOOK_EVERY / 10);
            }
        }
    }

    /// Waits until it has ended; false if it has not in time, and is killed then.
    pub fn ended_within(&mut self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.kill();
        false
    }

    /// What is guarded may be another's process id soon.
    fn release(&mut self) {
        _ = self.guard.kill();
        _ = self.guard.wait();
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        self.release();
        _ = self.child.kill();
        _ = self.child.wait();
        self.killed = true;
    }
}

/// Whether each thread of a process is stopped, or the process has ended.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    let stopped = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']));
    // A thread that is gone is not at work.
    threads.flatten().all(|thread| std::fs::read_to_string(thread.path().join("stat")).map_or(true, stopped))
}

/// Ends the process when this one is gone without dropping its handle, as tests end that share an engine in a static. The pipe is
/// closed then, however it ends.
fn guard(pid: u32) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT TERM HUP; read -r _; kill -CONT \"$0\"; kill -9 \"$0\""]).arg(pid.to_string());
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was stopped takes no other signal before it goes on.
        self.release();
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        self.ended_within(END_WITHIN);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_stopped_stands_still_until_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut busy = Command::new("sh");
        busy.args(["-c", "while :; do :; done"]);
        let process = Process::start(&mut busy, "", &folder.path().join("log"), END_WITHIN, || true).unwrap();
        assert!(!stands_still(process.pid()));
        process.signal(Signal::STOP);
        assert!(stands_still(process.pid()));
        process.signal(Signal::CONT);
        let until = Instant::now() + END_WITHIN;
        while stands_still(process.pid()) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        assert!(!stands_still(process.pid()));
    }
}
