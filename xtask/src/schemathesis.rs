//! The API against its own description: requests made up from `/openapi.json`, in form and out of form, to a server of its own.

use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::codegen::root;
use crate::python::{environment, text};
use crate::steps::run;

/// The whole run takes about this long, in seconds.
const BUDGET: &str = "75";
/// A start takes at most this.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Runs it against the debug build of the server.
///
/// # Errors
/// When a check fails, or the tools cannot be had.
pub fn schemathesis() -> Result<(), Box<dyn Error>> {
    let here = root().join("xtask/schemathesis");
    let tools = environment("schemathesis", &here.join("requirements.txt"))?;
    let server = Server::start()?;
    let base = format!("http://{}", server.address);
    let seed = text(&here.join("seed.py"));
    run(&text(&tools.join("python")), &[&seed, &base, &server.appkey, &server.master_secret], &root())?;
    let (config, address) = (text(&here.join("schemathesis.toml")), format!("{base}/openapi.json"));
    let credentials = format!("{}:{}", server.appkey, server.master_secret);
    let phases = "--phases=examples,coverage,fuzzing";
    let arguments = [
        "--config-file",
        &config,
        "run",
        &address,
        "--auth",
        &credentials,
        phases,
        "--max-time",
        BUDGET,
        "--no-color",
        "--warnings=off",
    ];
    run(&text(&tools.join("schemathesis")), &arguments, &server.folder)
}

/// A server on an empty folder, killed when this goes.
struct Server {
    child: Child,
    folder: PathBuf,
    address: String,
    appkey: String,
    master_secret: String,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let binary = std::path::absolute(root().join("target/debug/mynah"))?;
        let folder = std::env::temp_dir().join(format!("mynah-schemathesis-{}", std::process::id()));
        let made =
            Command::new(&binary).args(["app", "create", "--json", "--name", "made-up", "--data-dir"]).arg(&folder).output()?;
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let member = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned).ok_or("no app was made");
        let (address, ops) = (free()?, free()?);
        let mut command = Command::new(&binary);
        command.args(["serve", "--http-listen", &address, "--ops-listen", &ops, "--data-dir"]).arg(&folder);
        command.args(["--argon2-memory-kib", "8", "--argon2-iterations", "1"]).stdout(Stdio::null());
        let server =
            Self { child: command.spawn()?, folder, address, appkey: member("appkey")?, master_secret: member("master_secret")? };
        let until = Instant::now() + START_WITHIN;
        while std::net::TcpStream::connect(&server.address).is_err() {
            if Instant::now() > until {
                return Err("the server did not start".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait()).and_then(|_| std::fs::remove_dir_all(&self.folder));
        if let Err(error) = ended {
            eprintln!("xtask: the server: {error}");
        }
    }
}

/// An address that nobody has now.
fn free() -> std::io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
