//! A server of its own: on a fresh folder and free ports, and gone when it is dropped.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Outcome;

/// A start takes at most this.
const START_WITHIN: Duration = Duration::from_secs(30);

/// An app of the server.
pub struct App {
    pub appkey: String,
    pub master_secret: String,
}

/// The process and its folder.
pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    http: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Starts it, and waits until it is ready. Passwords are hashed cheaply.
    pub fn start(binary: &Path, log: &Path) -> Outcome<Self> {
        if !binary.is_file() {
            return Err(format!("{} is not there: cargo build -p mynah", binary.display()).into());
        }
        let folder = std::env::temp_dir().join(format!("mynah-clients-{}", std::process::id()));
        let (http, ops) = (free_address()?, free_address()?);
        let mut server = Self { binary: binary.into(), folder, http, child: None };
        // An app that is there before the start: no demo is made.
        server.app()?;
        let child = server
            .command("serve")
            .args(["--http-listen", &http.to_string(), "--ops-listen", &ops.to_string(), "--log", "warn"])
            .args(["--argon2-memory-kib", "8", "--argon2-iterations", "1", "--rest-per-minute", super::REST_PER_MINUTE])
            .stdout(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()?;
        let child = server.child.insert(child);
        let started = Instant::now();
        while !is_ready(ops) {
            if let Some(status) = child.try_wait()? {
                return Err(format!("the server ended: {status}; see {}", log.display()).into());
            }
            if started.elapsed() > START_WITHIN {
                return Err(format!("the server is not ready in time; see {}", log.display()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Makes an app.
    pub fn app(&self) -> Outcome<App> {
        let made: Value = serde_json::from_str(&self.operate(&["create", "--json", "--name", "clients"])?)?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned).ok_or("no app was made");
        Ok(App { appkey: text("appkey")?, master_secret: text("master_secret")? })
    }

    /// Lets one app act on another.
    pub fn grant(&self, appkey: &str, target: &str) -> Outcome<()> {
        self.operate(&["grant", appkey, target]).map(drop)
    }

    fn operate(&self, arguments: &[&str]) -> Outcome<String> {
        let output = self.command("app").args(arguments).output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
        }
    }

    /// The binary on the server's folder, without the caller's settings of it.
    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MYNAH_")) {
            command.env_remove(name);
        }
        command.arg(word).arg("--data-dir").arg(self.folder.join("data"));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody is left to tell.
        if let Some(child) = &mut self.child {
            _ = child.kill();
            _ = child.wait();
        }
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Not listening yet is no failure.
fn is_ready(ops: SocketAddr) -> bool {
    let ask = || {
        let mut socket = TcpStream::connect_timeout(&ops, Duration::from_secs(1))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).map(|_| answer)
    };
    ask().is_ok_and(|answer: String| answer.starts_with("HTTP/1.1 200"))
}
