//! A child process that ends with its handle.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
}

/// A port that nobody has now.
///
/// # Errors
/// When the system gives none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
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
        let mut process = Self { child, name, killed: false };
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

    /// Sends it a signal: stop, continue, terminate.
    pub fn signal(&self, signal: Signal) {
        // A child that was not waited for keeps its id, so that it is nobody else's.
        _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
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

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        self.killed = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that was stopped takes no other signal before it goes on.
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        self.ended_within(END_WITHIN);
    }
}
