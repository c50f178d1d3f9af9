//! Deployments of a test's own, one at a time: this is heavy.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mynah_local_cluster::{Cluster, Plan};
use tokio::sync::{Mutex, MutexGuard};

/// Longer than any step takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A deployment, and the turn to have one.
pub struct Deployment {
    pub cluster: Cluster,
    _folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Where the binaries under test are.
pub fn binaries() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_gateway")).parent().unwrap().into()
}

/// The turn to start processes.
pub async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

pub async fn deployment(gateways: usize, routers: usize) -> Deployment {
    deployment_with(gateways, routers, 1, |_| Vec::new()).await
}

/// The same with so many databases of the message log, and further settings, which may name files in its folder.
pub async fn deployment_with(
    gateways: usize,
    routers: usize,
    log_databases: usize,
    further: impl FnOnce(&std::path::Path) -> Vec<(String, String)>,
) -> Deployment {
    let folder = tempfile::tempdir().unwrap();
    let further = further(folder.path());
    start(gateways, routers, log_databases, folder, further, false).await
}

/// The same with engines that are reached over TLS only.
pub async fn deployment_over_tls(gateways: usize, routers: usize) -> Deployment {
    start(gateways, routers, 2, tempfile::tempdir().unwrap(), Vec::new(), true).await
}

async fn start(
    gateways: usize,
    routers: usize,
    log_databases: usize,
    folder: tempfile::TempDir,
    further: Vec<(String, String)>,
    over_tls: bool,
) -> Deployment {
    let turn = turn().await;
    let quick = [("argon2_memory_kib", "8"), ("argon2_iterations", "1"), ("sends_per_minute", "0"), ("syncs_per_minute", "0")];
    let plan = Plan {
        binaries: binaries(),
        skewed: None,
        folder: folder.path().into(),
        gateways,
        directories: 2,
        routers,
        over_tls,
        log_databases,
        settings: quick.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(further).collect(),
    };
    let cluster = tokio::task::block_in_place(|| Cluster::start(plan)).unwrap();
    Deployment { cluster, _folder: folder, _turn: turn }
}

/// Waits until something holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !tokio::task::block_in_place(&holds) {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Leaves figures where a run that passes shows them: a file in the folder of tests.
pub fn report(name: &str, figures: &serde_json::Value) {
    std::fs::write(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name), format!("{figures:#}\n")).unwrap();
}
