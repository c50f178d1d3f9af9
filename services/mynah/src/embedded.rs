//! The embedded shape: every service in one process, wired to one another and to the embedded engines.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use axum::Router as Routes;
use mynah_device::Devices;
use mynah_directory::{Directory, Operator, SecretKey};
use mynah_fjall::{FjallLog, FjallReport, Options};
use mynah_gateway::Gateway;
use mynah_media::LocalMedia;
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_ports::{Bus, DirectoryStore, MediaStore, MessageLog, Presence};
use mynah_proto::{DirectoryClient, GatewayClient, ReportClient, RouterClient, probe};
use mynah_report::Report;
use mynah_router::{Gateways, Router};
use mynah_sqlite::SqliteDirectory;
use mynah_types::{Clock, GatewayId, SystemClock};
use mynah_words::Words;

use crate::settings::Settings;

/// The one gateway of this process.
pub const GATEWAY: GatewayId = GatewayId(1);
/// Records that may wait on the in-process bus.
const BUS_CAPACITY: usize = 8192;

/// Everything that runs, and the lock on its data folder.
pub struct Embedded {
    /// The operator's hand on this folder.
    pub operator: Operator,
    /// Device connections.
    pub devices: Devices,
    gateway: Gateway,
    directory: DirectoryClient,
    router: RouterClient,
    log: Option<FjallLog>,
    _lock: Option<File>,
}

/// What the services work on.
pub struct Engines {
    /// Apps, users, groups.
    pub store: Arc<dyn DirectoryStore>,
    /// Messages.
    pub log: Arc<dyn MessageLog>,
    /// Fan-out records.
    pub bus: Arc<dyn Bus>,
    /// Who is online; gateway 1 is this process.
    pub presence: Arc<dyn Presence>,
    /// Uploaded files.
    pub media: Arc<dyn MediaStore>,
}

/// How the services reach one another.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Calls the directory.
    pub directory: DirectoryClient,
    /// Calls the router.
    pub router: RouterClient,
    /// Calls the gateway.
    pub gateway: GatewayClient,
    /// Calls the report service.
    pub report: ReportClient,
}

/// A service that runs now and may be called.
pub enum Offered {
    /// The directory.
    Directory(Directory),
    /// The router.
    Router(Router),
    /// The gateway's side that is called: its devices.
    Gateway(Devices),
    /// The report service.
    Report(Report),
}

impl Embedded {
    /// Opens the data folder, and starts every service on it. They call one another directly.
    ///
    /// # Errors
    /// When another server has the folder, or a store does not open.
    pub async fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, Box<dyn Error>> {
        let clients = Clients {
            directory: DirectoryClient::late(),
            router: RouterClient::late(),
            gateway: GatewayClient::late(),
            report: ReportClient::late(),
        };
        let bound = clients.clone();
        Self::wired(settings, clock, clients, |offered| match offered {
            Offered::Directory(service) => bound.directory.bind(Arc::new(service)),
            Offered::Router(service) => bound.router.bind(Arc::new(service)),
            Offered::Gateway(service) => bound.gateway.bind(Arc::new(service)),
            Offered::Report(service) => bound.report.bind(Arc::new(service)),
        })
        .await
    }

    /// The same with clients of any kind; each service is offered once it runs.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub async fn wired(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        clients: Clients,
        offer: impl FnMut(Offered),
    ) -> Result<Self, Box<dyn Error>> {
        let lock = lock(&settings.data_dir)?;
        let options = Options { accept_loss: settings.accept_log_loss, ..Options::default() };
        let log = FjallLog::open(&settings.data_dir.join("log"), &options)?;
        let engines = Engines {
            store: Arc::new(SqliteDirectory::open(settings.data_dir.join("directory.db"))?),
            log: Arc::new(log.clone()),
            bus: Arc::new(MemoryBus::new(BUS_CAPACITY)),
            presence: Arc::new(MemoryPresence::new(vec![GATEWAY])),
            media: Arc::new(LocalMedia::open(&settings.data_dir.join("media"))?),
        };
        let directory = settings.product.directory();
        let on = Self::on(engines, settings, directory, clock, clients, offer).await?;
        Ok(Self { log: Some(log), _lock: Some(lock), ..on })
    }

    /// Every service of one process on engines of any kind: the suites run on all of them.
    ///
    /// # Errors
    /// When the router does not start, or the data folder does not serve.
    pub async fn on(
        engines: Engines,
        settings: &Settings,
        directory_settings: mynah_directory::Settings,
        clock: Arc<dyn Clock>,
        clients: Clients,
        mut offer: impl FnMut(Offered),
    ) -> Result<Self, Box<dyn Error>> {
        let Engines { store, log, bus, presence, media } = engines;
        let data_dir = &settings.data_dir;
        let operator = operator(data_dir, Arc::clone(&store));
        let Clients { directory, router, gateway, report } = clients;
        let service = Directory::new(mynah_directory::Deps {
            store,
            router: router.clone(),
            gateway: gateway.clone(),
            clock: Arc::clone(&clock),
            key: SecretKey::open_or_create(&data_dir.join("secret.key"))?,
            settings: directory_settings,
        });
        offer(Offered::Directory(service.clone()));
        let words = Words::new(directory.clone());
        let devices = Devices::new(mynah_device::Deps {
            directory: directory.clone(),
            router: router.clone(),
            presence: Arc::clone(&presence),
            gateway_id: GATEWAY,
            words: words.clone(),
            clock: Arc::clone(&clock),
            settings: settings.product.devices(),
        });
        let rest = Gateway::new(mynah_gateway::Deps {
            directory: directory.clone(),
            router: router.clone(),
            report,
            presence: Arc::clone(&presence),
            media,
            words,
            clock: Arc::clone(&clock),
            settings: settings.product.gateway(),
        });
        offer(Offered::Gateway(devices.clone()));
        let actors = Router::start(mynah_router::Deps {
            log: Arc::clone(&log),
            bus,
            presence,
            directory: directory.clone(),
            gateways: Gateways::single(GATEWAY, gateway),
            clock: Arc::clone(&clock),
            ownership: mynah_router::Ownership::Sole,
            settings: mynah_router::Settings::default(),
        });
        offer(Offered::Router(actors.await?));
        let reports = reports(settings, log, directory.clone(), clock)?;
        offer(Offered::Report(reports.clone()));
        tokio::spawn(reports.run());
        tokio::spawn(async move { service.run_outbox().await });
        Ok(Self { operator, devices, gateway: rest, directory, router, log: None, _lock: None })
    }

    /// Everything that the public address serves.
    pub fn routes(&self) -> Routes {
        self.devices.routes().merge(self.gateway.routes())
    }

    /// Whether the stores answer; the error says which does not.
    pub fn ready(&self) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (directory, router) = (self.directory.clone(), self.router.clone());
        async move {
            probe::directory(&directory).await?;
            probe::message_log(&router).await
        }
    }

    /// Returns when the message log has failed: nothing can be acknowledged any more.
    pub async fn failed(&self) {
        match &self.log {
            Some(log) => log.failed().await,
            None => std::future::pending().await,
        }
    }
}

/// History and statistics, on an index of their own.
fn reports(
    settings: &Settings,
    log: Arc<dyn MessageLog>,
    directory: DirectoryClient,
    clock: Arc<dyn Clock>,
) -> Result<Report, Box<dyn Error>> {
    let index = FjallReport::open(&settings.data_dir.join("report"), &log.log_epoch(), settings.product.zone_minutes)?;
    Ok(Report::new(mynah_report::Deps { index: Arc::new(index), log, directory, clock, settings: settings.product.report() }))
}

/// The operator's hand on a data folder.
pub fn operator(data_dir: &Path, store: Arc<dyn DirectoryStore>) -> Operator {
    Operator::new(store, data_dir.join("secret.key"), Arc::new(SystemClock))
}

/// One server per data folder.
fn lock(data_dir: &Path) -> Result<File, Box<dyn Error>> {
    std::fs::create_dir_all(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    let file = File::create(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!("another server runs on {}", data_dir.display()).into()),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
