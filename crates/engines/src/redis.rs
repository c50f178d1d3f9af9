//! Redis: one server that keeps nothing on disk, so that a killed one comes back empty.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::{Certificate, EngineError, Process, free_port};

pub(crate) const PROGRAM: &str = "redis-server";
pub(crate) const HINT: &str = "install the package redis-server";
/// How long the server may take to start.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A running Redis.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    /// Where it speaks TLS, if it does.
    tls: Option<u16>,
    folder: tempfile::TempDir,
    further: Vec<String>,
}

impl Redis {
    /// Starts a server on a port of its own.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        Self::start_with(None, |_| Vec::new())
    }

    /// Starts a server that speaks TLS on a port of its own; in the clear it is for tests alone.
    ///
    /// # Errors
    /// As with [`Redis::start`].
    pub fn start_tls(certificate: &Certificate) -> Result<Self, EngineError> {
        Self::start_with(Some(certificate), |_| Vec::new())
    }

    /// Starts it with further arguments, which may name its folder.
    pub(crate) fn start_with(
        certificate: Option<&Certificate>,
        further: impl FnOnce(&Path) -> Vec<String>,
    ) -> Result<Self, EngineError> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let (mut tls, mut further) = (None, further(folder.path()));
        if let Some(certificate) = certificate {
            let port = free_port()?;
            certificate.write(folder.path(), None)?;
            let told = tls_settings(folder.path(), port).into_iter();
            further.extend(told.flat_map(|(name, value)| [format!("--{name}"), value]));
            tls = Some(port);
        }
        Ok(Self { process: launch(&folder, port, &further)?, port, tls, folder, further })
    }

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.tls {
            Some(port) => format!("rediss://127.0.0.1:{port}/"),
            None => format!("redis://127.0.0.1:{}/", self.port),
        }
    }

    /// The port at which clients and other servers find it.
    pub(crate) fn client_port(&self) -> u16 {
        self.tls.unwrap_or(self.port)
    }

    /// Its process id; 0 after it was killed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it at once: all that it held is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty; kills it first if it runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        self.process.kill();
        self.process = launch(&self.folder, self.port, &self.further)?;
        Ok(())
    }

    /// Sends the server a signal: stop, continue.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Takes everything out of it while it runs.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn flush(&self) -> Result<(), EngineError> {
        let answer = ask(self.port, "FLUSHALL")?;
        if answer.starts_with("+OK") {
            return Ok(());
        }
        Err(EngineError::System(std::io::Error::other(answer)))
    }
}

/// What a server is told that speaks TLS; its certificate lies in the folder. Servers speak so among themselves too.
pub(crate) fn tls_settings(folder: &Path, port: u16) -> [(&'static str, String); 6] {
    let file = |name: &str| folder.join(name).display().to_string();
    [
        ("tls-port", port.to_string()),
        ("tls-cert-file", file("certificate.pem")),
        ("tls-key-file", file("key.pem")),
        ("tls-ca-cert-file", file("authority.pem")),
        ("tls-auth-clients", "no".to_owned()),
        ("tls-replication", "yes".to_owned()),
    ]
}

fn launch(folder: &tempfile::TempDir, port: u16, further: &[String]) -> Result<Process, EngineError> {
    let mut command = Command::new(PROGRAM);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
    command.arg("--dir").arg(folder.path()).args(further);
    let ready = || ask(port, "PING").is_ok_and(|answer| answer.starts_with("+PONG"));
    Process::start(&mut command, HINT, &folder.path().join("log"), READY_WITHIN, ready)
}

/// One command, and the first line of its answer.
pub(crate) fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0; 1];
    while !answer.ends_with(b"\r\n") && stream.read(&mut byte)? > 0 {
        answer.extend(byte);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_until_it_is_killed_and_again_when_it_is_back() {
        let mut redis = Redis::start().unwrap();
        redis.flush().unwrap();
        redis.kill();
        assert!(redis.flush().is_err());
        redis.restart().unwrap();
        redis.flush().unwrap();
    }
}
