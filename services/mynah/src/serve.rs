//! `mynah serve`: the services wired to one another and to the embedded engines.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router as Routes;
use axum::routing::get;
use mynah_device::Devices;
use mynah_directory::{Directory, SecretKey};
use mynah_fjall::{FjallLog, Options};
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_ports::{DirectoryStore, Presence};
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::{Gateways, Router};
use mynah_types::{Clock, GatewayId, SystemClock};
use tokio::net::TcpListener;

use crate::apps;
use crate::cli::Serve;

/// The one gateway of this process.
const GATEWAY: GatewayId = GatewayId(1);
/// Records that may wait on the in-process bus.
const BUS_CAPACITY: usize = 8192;
/// Over how long devices come back after a shutdown.
const DRAIN_SPREAD_MS: u32 = 2000;
/// How long a shutdown waits for connections to close.
const DRAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Serves until a signal, or until the message log fails.
pub async fn serve(data_dir: &Path, settings: &Serve) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(data_dir)?;
    let _lock = lock(data_dir)?;
    let http = listen(settings.http_listen).await?;
    let ops = listen(settings.ops_listen).await?;
    let log = FjallLog::open(&data_dir.join("log"), &Options::default())?;
    let devices = wire(data_dir, &log).await?;
    tracing::info!(http = %settings.http_listen, ops = %settings.ops_listen, "serving");
    let health = Routes::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(|| async { "ready" }));
    let public = axum::serve(http, devices.routes());
    tokio::select! {
        served = public.into_future() => served?,
        served = axum::serve(ops, health).into_future() => served?,
        () = log.failed() => return Err("the message log failed: see the log line above; nothing acknowledged is lost".into()),
        () = signal() => drain(&devices).await,
    }
    Ok(())
}

/// Tells the devices, and gives them a moment to hear it.
async fn drain(devices: &Devices) {
    devices.drain(DRAIN_SPREAD_MS);
    let gone = async {
        while devices.connections() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(DRAIN_AT_MOST, gone).await.is_err() {
        tracing::warn!(left = devices.connections(), "connections did not close in time");
    }
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, Box<dyn Error>> {
    TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}").into())
}

/// One server per data folder.
fn lock(data_dir: &Path) -> Result<File, Box<dyn Error>> {
    let file = File::create(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!("another server runs on {}", data_dir.display()).into()),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

async fn wire(data_dir: &Path, log: &FjallLog) -> Result<Devices, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store: Arc<dyn DirectoryStore> = Arc::new(mynah_sqlite::SqliteDirectory::open(data_dir.join("directory.db"))?);
    let key = SecretKey::open_or_create(&data_dir.join("secret.key"))?;
    if let Some(made) = apps::operator(data_dir, Arc::clone(&store)).ensure_demo_app().await? {
        eprintln!("demo app made; its secret is shown this once\n  appKey:       {}", made.appkey);
        eprintln!("  masterSecret: {}", made.master_secret);
    }
    let (directory, router, gateway) = (DirectoryClient::late(), RouterClient::late(), GatewayClient::late());
    let presence: Arc<dyn Presence> = Arc::new(MemoryPresence::new(vec![GATEWAY]));
    let service = Directory::new(mynah_directory::Deps {
        store,
        router: router.clone(),
        gateway: gateway.clone(),
        clock: Arc::clone(&clock),
        key,
        settings: mynah_directory::Settings::default(),
    });
    directory.bind(Arc::new(service.clone()));
    let devices = Devices::new(mynah_device::Deps {
        directory: directory.clone(),
        router: router.clone(),
        presence: Arc::clone(&presence),
        gateway_id: GATEWAY,
        clock: Arc::clone(&clock),
        settings: mynah_device::Settings::default(),
    });
    gateway.bind(Arc::new(devices.clone()));
    let actors = Router::start(mynah_router::Deps {
        log: Arc::new(log.clone()),
        bus: Arc::new(MemoryBus::new(BUS_CAPACITY)),
        presence,
        directory,
        gateways: Gateways::single(GATEWAY, gateway),
        clock,
        settings: mynah_router::Settings::default(),
    });
    router.bind(Arc::new(actors.await?));
    tokio::spawn(async move { service.run_outbox().await });
    Ok(devices)
}

async fn signal() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without the handler the system's own ending applies.
        Err(_) => std::future::pending().await,
    }
}
