//! The commands of a deployment as a person types them, one after the other.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use mynah_local_cluster::Status;

use super::{FOLDER, Outcome};

/// Beside a deployment that somebody has.
const OWN_FOLDER: &str = "target/cluster-trial";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Shards of a deployment.
const SHARDS: u32 = 256;

/// Starts a deployment by the debug build, has its processes die, stand still and come back, and ends it.
pub(crate) fn trial() -> Outcome {
    let tried = run(&["up", "2", "1", "2"]).and_then(|()| commands());
    let ended = run(&["down"]);
    tried.and(ended)?;
    if status().is_ok() {
        return Err("the deployment answers after its end".into());
    }
    Ok(())
}

fn commands() -> Outcome {
    let (first, second) = ("router-1", "router-2");
    until("both routers have shards", |status| {
        shards(status, first) > 0 && shards(status, first) + shards(status, second) == SHARDS
    })?;
    run(&["kill", first])?;
    until("a killed router has no process", |status| {
        status.routers.iter().any(|router| router.name == first && router.pid == 0)
    })?;
    until("the other one has all", |status| shards(status, second) == SHARDS)?;
    run(&["start", first])?;
    until("it has its part again", |status| shards(status, first) > 0)?;
    run(&["pause", "gateway-1"])?;
    until("a gateway stands still", |status| !is_ready(status, "gateway-1") && is_ready(status, "gateway-2"))?;
    run(&["resume", "gateway-1"])?;
    run(&["flush-redis"])?;
    run(&["cut", second])?;
    until("a router that is cut off has nothing", |status| shards(status, first) == SHARDS)?;
    run(&["heal", second])?;
    run(&["stop", "gateway-2"])?;
    run(&["start", "gateway-2"])?;
    until("all is well", |status| {
        is_ready(status, "gateway-1") && is_ready(status, "gateway-2") && shards(status, first) + shards(status, second) == SHARDS
    })?;
    if run(&["kill", "router-9"]).is_ok() || run(&["dance"]).is_ok() {
        return Err("what is no command, or of nobody, was done".into());
    }
    run(&["status"])
}

fn command(words: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("cluster").args(words).env(FOLDER, OWN_FOLDER);
    Ok(command)
}

fn run(words: &[&str]) -> Outcome {
    let status = command(words)?.status()?;
    if status.success() { Ok(()) } else { Err(format!("cluster {}: {status}", words.join(" ")).into()) }
}

fn status() -> Result<Status, Box<dyn Error>> {
    let told = command(&["status", "--json"])?.output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    Ok(serde_json::from_slice(&told.stdout)?)
}

fn shards(status: &Status, name: &str) -> u32 {
    status.routers.iter().filter(|router| router.name == name).map(|router| router.shards).sum()
}

fn is_ready(status: &Status, name: &str) -> bool {
    status.gateways.iter().any(|gateway| gateway.name == name && gateway.ready)
}

fn until(what: &str, holds: impl Fn(&Status) -> bool) -> Outcome {
    let began = Instant::now();
    loop {
        let status = status()?;
        if holds(&status) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("not in time: {what}: {}", serde_json::to_string(&status)?).into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
