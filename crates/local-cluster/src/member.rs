//! One of our processes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use mynah_engines::{Process, Signal, free_port};

use crate::Error;
use crate::wire::Wire;

/// How long a process may take to begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to end gracefully.
const END_WITHIN: Duration = Duration::from_secs(60);
/// How long an operations address may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The REST API and device connections.
    Gateway,
    /// Apps, users, groups.
    Directory,
    /// Conversations.
    Router,
    /// History and callbacks.
    Report,
}

impl Kind {
    /// The binary's name, and the first part of its processes'.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Directory => "directory",
            Self::Router => "router",
            Self::Report => "report",
        }
    }
}

/// A process with its addresses, running or not.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) grpc: u16,
    pub(crate) ops: u16,
    pub(crate) http: u16,
    /// Its ways to the message log's databases; routers have some that can be cut.
    pub(crate) wires: Vec<Wire>,
    process: Option<Process>,
}

impl Member {
    pub(crate) fn new(kind: Kind, number: usize) -> Result<Self, Error> {
        let name = format!("{}-{number}", kind.name());
        Ok(Self { kind, name, grpc: free_port()?, ops: free_port()?, http: free_port()?, wires: Vec::new(), process: None })
    }

    pub(crate) fn grpc(&self) -> String {
        format!("127.0.0.1:{}", self.grpc)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::pid)
    }

    /// Starts it; returns when its operations address answers, whatever it says.
    pub(crate) fn start(&mut self, binary: &Path, settings: &BTreeMap<String, String>, logs: &Path) -> Result<(), Error> {
        self.kill();
        let mut command = command(binary, settings);
        command.env("MYNAH_NAME", &self.name);
        command.env("MYNAH_GRPC_LISTEN", self.grpc());
        command.env("MYNAH_OPS_LISTEN", format!("127.0.0.1:{}", self.ops));
        command.env("MYNAH_HTTP_LISTEN", format!("127.0.0.1:{}", self.http));
        let log = next_log(logs, &self.name);
        let ops = self.ops;
        let begun = || get(ops, "/healthz").is_some_and(|(status, _)| status == 200);
        self.process =
            Some(Process::start(&mut command, "build it with cargo build -p mynah-cluster", &log, BEGIN_WITHIN, begun)?);
        Ok(())
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.signal(Signal::TERM);
        if process.ended_within(END_WITHIN) { Ok(()) } else { Err(format!("{} did not end in time", self.name).into()) }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Whether it says that it works.
    pub(crate) fn is_ready(&self) -> bool {
        self.process.is_some() && get(self.ops, "/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// A figure of its metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = get(self.ops, "/metrics")?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// A binary with settings by its environment, and none of this process's own.
pub(crate) fn command(binary: &Path, settings: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MYNAH_") {
            command.env_remove(name);
        }
    }
    for (name, value) in settings {
        command.env(format!("MYNAH_{}", name.to_ascii_uppercase()), value);
    }
    command
}

/// A file for each life, so that what an earlier one said stays.
fn next_log(logs: &Path, name: &str) -> PathBuf {
    let free = (1..).map(|life| logs.join(format!("{name}.{life}.log"))).find(|path| !path.exists());
    free.unwrap_or_else(|| logs.join(format!("{name}.log")))
}

/// Asks an address on loopback: status and body. None if it does not answer.
#[must_use]
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let until = Instant::now() + ANSWER_WITHIN;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN).ok()?;
    stream.set_read_timeout(Some(until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}
