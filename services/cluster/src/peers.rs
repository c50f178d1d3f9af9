//! How a process reaches the others.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mynah_ports::Presence;
use mynah_proto::{DirectoryClient, GatewayClient, ReportClient, RouterClient, probe};
use mynah_router::GatewayFinder;
use mynah_rpc::{Fleet, LiveGateways, Names, Pool, Routed, Times};
use mynah_types::GatewayId;

use crate::process::Process;

/// A call of the directory may take this long, all tries together: a login waits for a password's hash.
const DIRECTORY_WITHIN: Duration = Duration::from_secs(10);
/// A report reads much.
const REPORT_WITHIN: Duration = Duration::from_secs(15);
/// A gateway only looks into its memory.
const GATEWAY_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn directory(process: &Process) -> DirectoryClient {
    let names = Names::watch(process.settings.directories.clone());
    DirectoryClient::Replicas(Pool::new(names, process.channels.clone(), DIRECTORY_WITHIN, Arc::clone(&process.clock) as _))
}

pub(crate) fn report(process: &Process) -> ReportClient {
    let names = Names::watch(process.settings.reports.clone());
    ReportClient::Replicas(Pool::new(names, process.channels.clone(), REPORT_WITHIN, Arc::clone(&process.clock) as _))
}

/// Whoever owns what. The process's clock goes by theirs.
pub(crate) fn router(process: &Process) -> RouterClient {
    let names = Names::watch(process.settings.routers.clone());
    RouterClient::local(Routed::start(names, process.channels.clone(), Times::default(), Arc::clone(&process.clock)))
}

/// Every live gateway, by what presence knows.
pub(crate) fn fleet(process: &Process, presence: Arc<dyn Presence>) -> Fleet {
    Fleet::new(Arc::new(ByPresence(presence)), process.channels.clone(), GATEWAY_WITHIN)
}

struct ByPresence(Arc<dyn Presence>);

#[async_trait]
impl LiveGateways for ByPresence {
    async fn live(&self) -> Result<Vec<(GatewayId, String)>, String> {
        let live = self.0.gateways().await.map_err(|error| error.to_string())?;
        Ok(live.into_iter().map(|gateway| (gateway.id, gateway.address)).collect())
    }
}

/// The same as a router's deliveries want it.
pub(crate) struct Finder(pub(crate) Fleet);

#[async_trait]
impl GatewayFinder for Finder {
    async fn live(&self) -> Result<Vec<(GatewayId, GatewayClient)>, String> {
        self.0.clients().await
    }
}

/// How long a directory may take to say that it works: less than whoever asks for readiness waits, so that the answer names it.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// Whether a directory answers out of its store.
///
/// # Errors
/// What does not work, in words.
pub(crate) async fn directory_answers(directory: &DirectoryClient) -> Result<(), String> {
    let answered = tokio::time::timeout(READY_WITHIN, probe::directory(directory)).await;
    answered.unwrap_or_else(|_| Err("directory: no answer in time".into()))
}
