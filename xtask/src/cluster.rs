//! `cargo xtask cluster …`: the whole distributed shape on this machine, until `down`.

#![allow(clippy::print_stdout, reason = "the outcome of a command is what it prints")]

mod trial;

use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mynah_local_cluster::{Cluster, Plan, Status, ask, serve};

use crate::codegen::root;
use crate::steps::cargo;

pub(crate) use trial::trial;

const USAGE: &str = "usage: cargo xtask cluster up [--release] [gateways directories routers log-databases] | status [--json] | kill NAME | stop NAME | \
                     pause NAME | resume NAME | cut ROUTER | heal ROUTER | start NAME | flush-redis | down | trial";
/// Names another folder for a deployment, below the tree's.
const FOLDER: &str = "MYNAH_CLUSTER_FOLDER";
/// How long the end of everything may take.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// How long the start of everything may take, Kafka's download included.
const UP_WITHIN: Duration = Duration::from_secs(300);

type Outcome = Result<(), Box<dyn Error>>;

/// Where the deployment of this process's commands is: a trial has one of its own.
fn folder() -> PathBuf {
    root().join(std::env::var_os(FOLDER).map_or_else(|| "target/cluster".into(), PathBuf::from))
}

/// Runs a command of a deployment.
pub fn run(words: &[&str]) -> Outcome {
    match words {
        ["up", "--release", sizes @ ..] => up("release", sizes),
        ["up", sizes @ ..] => up("debug", sizes),
        // The process that holds it: started by `up`.
        ["hold", profile, sizes @ ..] => hold(profile, sizes),
        ["status", "--json"] => {
            println!("{}", ask(&folder(), "status")?);
            Ok(())
        }
        ["status"] => show(&serde_json::from_str(&ask(&folder(), "status")?)?),
        ["down"] => {
            ask(&folder(), "down")?;
            gone()
        }
        ["kill" | "stop" | "pause" | "resume" | "start" | "cut" | "heal", _] | ["flush-redis"] => {
            ask(&folder(), &words.join(" "))?;
            Ok(())
        }
        ["trial"] => trial(),
        _ => Err(USAGE.into()),
    }
}

fn up(profile: &str, sizes: &[&str]) -> Outcome {
    if ask(&folder(), "status").is_ok() {
        return Err("a deployment runs already: cargo xtask cluster status, or down".into());
    }
    let build: &[&str] =
        if profile == "release" { &["build", "-p", "mynah-cluster", "--release"] } else { &["build", "-p", "mynah-cluster"] };
    cargo(build)?;
    // Logs of the last one stay until the next begins.
    _ = std::fs::remove_dir_all(folder());
    std::fs::create_dir_all(folder())?;
    let log = std::fs::File::create(folder().join("holder.log"))?;
    let mut holder = Command::new(std::env::current_exe()?);
    holder.args(["cluster", "hold", profile]).args(sizes).current_dir(root());
    holder.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let mut holder = holder.spawn()?;
    let until = Instant::now() + UP_WITHIN;
    loop {
        if let Ok(status) = ask(&folder(), "status") {
            return show(&serde_json::from_str(&status)?);
        }
        if holder.try_wait()?.is_some() || Instant::now() > until {
            return Err(std::fs::read_to_string(folder().join("holder.log"))?.into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn hold(profile: &str, sizes: &[&str]) -> Outcome {
    let mut numbers = sizes.iter().map(|size| size.parse::<usize>());
    let mut next = |usual: usize| numbers.next().unwrap_or(Ok(usual)).map_err(|_| USAGE);
    let plan = Plan {
        binaries: root().join("target").join(profile),
        skewed: None,
        folder: folder(),
        gateways: next(2)?,
        directories: next(2)?,
        routers: next(3)?,
        over_tls: false,
        log_databases: next(1)?,
        settings: Vec::new(),
    };
    Ok(serve(Cluster::start(plan)?, &folder())?)
}

fn gone() -> Outcome {
    let until = Instant::now() + GONE_WITHIN;
    while folder().join("control.sock").exists() {
        if Instant::now() > until {
            return Err(format!("it does not end: see {}", folder().join("holder.log").display()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn show(status: &Status) -> Outcome {
    let state = |pid: u32, ready: bool| {
        if pid == 0 {
            "down"
        } else if ready {
            "ready"
        } else {
            "not ready"
        }
    };
    for g in &status.gateways {
        println!("{:<14} {:<10} pid {:<8} http://{}/ui/  ops http://{}", g.name, state(g.pid, g.ready), g.pid, g.http, g.ops);
    }
    for m in status.directories.iter().chain(&status.reports) {
        println!("{:<14} {:<10} pid {:<8} ops http://{}", m.name, state(m.pid, m.ready), m.pid, m.ops);
    }
    for r in &status.routers {
        println!("{:<14} {:<10} pid {:<8} {} shards  ops http://{}", r.name, state(r.pid, r.ready), r.pid, r.shards, r.ops);
    }
    for e in &status.engines {
        println!("{:<14} {:<10} pid {:<8} port {}", e.name, if e.pid == 0 { "down" } else { "up" }, e.pid, e.port);
    }
    println!("appKey {}  masterSecret {}\nlogs in {}", status.app.appkey, status.app.master_secret, status.logs);
    Ok(())
}
