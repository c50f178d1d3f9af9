//! A distributed deployment on the servers' processor.

use std::path::{Path, PathBuf};
use std::process::Command;

use mynah_local_cluster::{Cluster, Plan, Status};
use mynah_measure::process::keep_on;

use super::cases::Parts;
use super::{CPUS, Outcome, SETTINGS};
use crate::codegen::root;

/// Starts it, and has `load` drive it.
pub(super) fn start(parts: Parts, binaries: &Path, load: &mut Command) -> Outcome<(Cluster, PathBuf)> {
    let folder = root().join("target/measure/cluster");
    // It may not be there.
    _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    // What is started from here on stays there, and with it this process.
    keep_on(std::process::id(), CPUS.0).map_err(|failed| failed as Box<dyn std::error::Error>)?;
    let settings = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let plan = Plan {
        binaries: binaries.to_owned(),
        skewed: None,
        folder: folder.clone(),
        gateways: parts.gateways,
        directories: 1,
        routers: parts.routers,
        over_tls: false,
        log_databases: 1,
        settings: settings.collect(),
    };
    let cluster = Cluster::start(plan)?;
    let Status { gateways, directories, routers, engines, app, .. } = cluster.status();
    if parts.engines_apart {
        for engine in &engines {
            for pid in tree(engine.pid)? {
                // A process of an engine may have ended since.
                _ = keep_on(pid, CPUS.1);
            }
        }
    }
    load.args(["--app-key", &app.appkey, "--master-secret", &app.master_secret]);
    for gateway in &gateways {
        load.args(["--target", &format!("http://{}", gateway.http)]);
    }
    let ours = gateways.iter().map(|g| (&g.name, g.pid));
    let ours = ours.chain(directories.iter().map(|m| (&m.name, m.pid))).chain(routers.iter().map(|r| (&r.name, r.pid)));
    for (name, pid) in ours {
        load.args(["--scrape", &format!("{name}=pid:{pid}")]);
    }
    Ok((cluster, folder))
}

/// A process and all that descend from it.
fn tree(pid: u32) -> Outcome<Vec<u32>> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        for task in std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    Ok(found)
}
