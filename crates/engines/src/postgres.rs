//! PostgreSQL on loopback, in a folder of its own, durable.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::{Certificate, EngineError, Process, free_port};

const HINT: &str = "install PostgreSQL 15 or newer (Debian: postgresql)";
/// How long a start may take, the recovery after a kill included.
const START_WITHIN: Duration = Duration::from_secs(60);
/// The owner of every database.
const USER: &str = "mynah";

/// A running server. It ends when it is dropped, or when the process that started it is gone.
#[derive(Debug)]
pub struct PostgreSql {
    server: Option<Process>,
    guard: Child,
    bin: PathBuf,
    folder: TempDir,
    port: u16,
}

impl PostgreSql {
    /// Makes a new, empty server and starts it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        Self::start_as(None)
    }

    /// The same over TLS only: it takes no connection in the clear.
    ///
    /// # Errors
    /// As with [`PostgreSql::start`].
    pub fn start_tls(certificate: &Certificate) -> Result<Self, EngineError> {
        Self::start_as(Some(certificate))
    }

    fn start_as(certificate: Option<&Certificate>) -> Result<Self, EngineError> {
        let (bin, folder) = (find()?, own_folder()?);
        let data = folder.path().join("data");
        let mut init = as_user(&bin.join("initdb"), folder.path());
        init.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        run(&mut init)?;
        if let Some(certificate) = certificate {
            certificate.write(&data, other_user()?)?;
            std::fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")?;
        }
        Self::serve_first(bin, folder)
    }

    fn serve_first(bin: PathBuf, folder: TempDir) -> Result<Self, EngineError> {
        let guard = guard(&folder.path().join("data"))?;
        let mut engine = Self { server: None, guard, bin, folder, port: free_port()? };
        engine.restart()?;
        Ok(engine)
    }

    /// Makes a replica, which follows this server by streaming.
    ///
    /// # Errors
    /// When it cannot be copied, or does not start.
    pub fn replica(&self) -> Result<Self, EngineError> {
        let folder = own_folder()?;
        let mut copy = as_user(&self.bin.join("pg_basebackup"), folder.path());
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, "-D"]).arg(folder.path().join("data"));
        run(copy.args(["--checkpoint=fast", "--write-recovery-conf", "--no-sync"]))?;
        Self::serve_first(self.bin.clone(), folder)
    }

    /// Sends the process by which a replica receives a signal: stop, continue. False if it has none.
    pub fn signal_receiver(&self, signal: Signal) -> bool {
        let title = |pid: &Pid| std::fs::read_to_string(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let found = sessions(self.pid()).into_iter().find(|pid| title(pid).contains("walreceiver"));
        found.is_some_and(|receiver| rustix::process::kill_process(receiver, signal).is_ok())
    }

    /// A replica takes over: it goes on with what it has, in a time line of its own.
    ///
    /// # Errors
    /// When it is none, or does not take over in time.
    pub fn take_over(&self) -> Result<(), EngineError> {
        let mut promote = as_user(&self.bin.join("pg_ctl"), self.folder.path());
        run(promote.args(["promote", "-w", "-D"]).arg(self.folder.path().join("data")))
    }

    /// Its process id; 0 after it was killed.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.as_ref().map_or(0, Process::pid)
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends the server and its sessions a signal: stop, continue.
    pub fn signal(&self, signal: Signal) {
        let Some(server) = &self.server else { return };
        server.signal(signal);
        for session in sessions(server.pid()) {
            _ = rustix::process::kill_process(session, signal);
        }
    }

    /// Where a database is reached.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When there is one of that name, or the server does not answer.
    pub fn create_database(&self, name: &str) -> Result<(), EngineError> {
        let mut create = Command::new(self.bin.join("createdb"));
        create.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, "-T", "template0", name]);
        run(&mut create)
    }

    /// Kills it at once with all its sessions, as a crash of the machine would.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Stopped first: it starts no session any more, and the ends of its sessions stay its own.
        server.signal(Signal::STOP);
        for session in sessions(server.pid()) {
            _ = rustix::process::kill_process(session, Signal::KILL);
        }
        server.kill();
    }

    /// Starts it again on the same port with the same data, after a kill too.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        self.server = None;
        let until = Instant::now() + START_WITHIN;
        loop {
            match self.serve() {
                // What the killed server has left behind ends by itself, and holds the data until then.
                Err(EngineError::Start { why, .. }) if why.contains("is still in use") && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                served => return served.map(|server| self.server = Some(server)),
            }
        }
    }

    /// Starts it as a replica that lacks nothing and takes over: it recovers what it has and goes on in a time line of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn promote(&mut self) -> Result<(), EngineError> {
        self.kill();
        std::fs::write(self.folder.path().join("data/recovery.signal"), "")?;
        self.restart()
    }

    fn serve(&self) -> Result<Process, EngineError> {
        let port = self.port.to_string();
        let mut serve = as_user(&self.bin.join("postgres"), self.folder.path());
        serve.arg("-D").arg(self.folder.path().join("data")).args(["-p", &port, "-h", "127.0.0.1", "-k", ""]);
        serve.args(["-c", "fsync=on", "-c", "max_connections=300"]);
        if self.folder.path().join("data/key.pem").exists() {
            serve.args(["-c", "ssl=on", "-c", "ssl_cert_file=certificate.pem", "-c", "ssl_key_file=key.pem"]);
        }
        // Nothing is archived: a recovery ends with what is there.
        serve.args(["-c", "restore_command=false"]);
        let ready = || {
            let mut ask = Command::new(self.bin.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", USER, "-d", "postgres"]);
            ask.status().is_ok_and(|status| status.success())
        };
        Process::start(&mut serve, HINT, &self.folder.path().join("server.log"), START_WITHIN, ready)
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        self.server = None;
        // The server is gone: nothing is left to end.
        _ = self.guard.kill();
        _ = self.guard.wait();
    }
}

/// A shared engine is never dropped, so that something else must end it with its process: a shell that waits until its input ends.
fn guard(data: &Path) -> Result<Child, EngineError> {
    let script = "trap '' INT TERM HUP; read -r _; kill -QUIT \"$(head -n 1 \"$0/postmaster.pid\")\"; rm -rf \"${0%/data}\"";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(data).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(shell.spawn()?)
}

/// The folder of its programs: the newest that Debian's packages brought, or where `initdb` is found by `PATH`.
fn find() -> Result<PathBuf, EngineError> {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = packaged.max_by_key(version).map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = newest.into_iter().chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists());
    found.ok_or_else(|| EngineError::Missing { program: "postgres".into(), hint: HINT.into() })
}

/// The server does not run as root. As root it runs as the user that its packages make.
fn other_user() -> Result<Option<(u32, u32)>, EngineError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let missing = || EngineError::Missing { program: "the user postgres".into(), hint: HINT.into() };
    ids.map(Some).ok_or_else(missing)
}

/// A folder of the user that the server runs as.
fn own_folder() -> Result<TempDir, EngineError> {
    let folder = tempfile::tempdir()?;
    if let Some((uid, gid)) = other_user()? {
        chown(folder.path(), Some(uid), Some(gid))?;
    }
    Ok(folder)
}

fn as_user(program: &Path, folder: &Path) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

fn run(command: &mut Command) -> Result<(), EngineError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(EngineError::Start { program, why: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// The processes that a server has started.
fn sessions(server: u32) -> Vec<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}
