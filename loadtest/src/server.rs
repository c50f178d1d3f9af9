//! A server process of one's own: started on an empty folder, killed, started again.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;

use crate::Failed;
use crate::rest::Rest;

/// A start takes at most this.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Settings of a server that is driven hard by few users: cheap hashes, no limit of a user's rates.
pub const QUICK: &[&str] = &[
    "--argon2-memory-kib",
    "8",
    "--argon2-iterations",
    "1",
    "--sends-per-minute",
    "0",
    "--syncs-per-minute",
    "0",
    "--calls-per-minute",
    "0",
];

/// The process, its folder and its addresses.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data_dir: PathBuf,
    settings: Vec<String>,
    /// The processor that it stays on.
    cpu: Option<usize>,
    child: Option<Child>,
    /// REST and devices.
    pub http: SocketAddr,
    /// Health and metrics.
    pub ops: SocketAddr,
    /// The app that was made.
    pub appkey: String,
    /// Its secret.
    pub master_secret: String,
}

impl Server {
    /// Makes an app in `data_dir` and starts the binary with further settings, as flags.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(binary: &Path, data_dir: &Path, settings: &[&str]) -> Result<Self, Failed> {
        let mut server = Self::prepare(binary, data_dir, settings, None)?;
        server.restart().await?;
        Ok(server)
    }

    /// The same without starting it: what is set of the app until [`Server::restart`] holds from the first call on. With a processor, it
    /// stays on that one from its first moment: it makes as many threads as it has processors.
    ///
    /// # Errors
    /// When the app cannot be made.
    pub fn prepare(binary: &Path, data_dir: &Path, settings: &[&str], cpu: Option<usize>) -> Result<Self, Failed> {
        let made = command(binary).args(["app", "create", "--json", "--name", "load", "--data-dir"]).arg(data_dir).output();
        let made = made.map_err(|error| format!("{}: {error}", binary.display()))?;
        let app: Value = serde_json::from_slice(&made.stdout)?;
        let text = |name: &str| app.get(name).and_then(Value::as_str).map(str::to_owned).ok_or("no app was made");
        Ok(Self {
            binary: binary.into(),
            data_dir: data_dir.into(),
            settings: settings.iter().map(|s| (*s).to_owned()).collect(),
            cpu,
            child: None,
            http: free_address()?,
            ops: free_address()?,
            appkey: text("appkey")?,
            master_secret: text("master_secret")?,
        })
    }

    /// Runs `mynah app …` on the server's folder.
    ///
    /// # Errors
    /// When the command fails.
    pub fn app_command(&self, arguments: &[&str]) -> Result<(), Failed> {
        let output = command(&self.binary).arg("app").args(arguments).arg("--data-dir").arg(&self.data_dir).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    }

    /// Starts it, or starts it again, and waits until it is ready. Returns how long that took.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn restart(&mut self) -> Result<Duration, Failed> {
        let started = Instant::now();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = command(&self.binary);
        if let Some(cpu) = self.cpu {
            command = pinned(&command, cpu);
        }
        let child = command
            .arg("serve")
            .arg("--data-dir")
            .arg(&self.data_dir)
            .args(["--http-listen", &self.http.to_string(), "--ops-listen", &self.ops.to_string()])
            .args(&self.settings)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let child = self.child.insert(child);
        let probe = Rest::new(self.ops, "", "");
        loop {
            if let Some(status) = child.try_wait()? {
                return Err(format!("the server ended: {status}; see {}", self.log().display()).into());
            }
            // Not listening yet is no failure.
            if probe.raw(Method::GET, "/readyz", &Value::Null).await.is_ok_and(|(status, _)| status == 200) {
                return Ok(started.elapsed());
            }
            if started.elapsed() > START_WITHIN {
                return Err("the server is not ready in time".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills it, as a crash would.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn kill(&mut self) -> Result<(), Failed> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks it to end, as an operator does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub async fn stop(&mut self) -> Result<(), Failed> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
        let asked = Instant::now();
        while child.try_wait()?.is_none() {
            if asked.elapsed() > START_WITHIN {
                child.kill()?;
                return Err("the server does not end when it is asked to".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where it writes its log lines.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to tell.
        _ = self.kill();
    }
}

/// The binary without the caller's settings of it.
fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MYNAH_")) {
        command.env_remove(name);
    }
    command
}

/// The same program on one processor.
fn pinned(command: &Command, cpu: usize) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", &cpu.to_string()]).arg(command.get_program());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    pinned
}

fn free_address() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
