//! A server in this process, with an app of its own for each test.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use mynah::embedded::{Embedded, Engines, GATEWAY};
use mynah::settings::Settings;
use mynah_directory::Operator;
use mynah_engines::S3;
use mynah_s3::S3Media;
use mynah_settings::Product;
use mynah_types::ManualClock;
use tower::ServiceExt as _;

pub use crate::app::{Answer, App, basic};
use crate::channels::Channels;
use crate::engines;

/// Where clocks begin: 2026-01-01 12:00 in UTC+8, a day that cases of the contract ask for.
pub const NOON: u64 = 1_767_240_000_000;

/// Each flow with the services called directly, and over channels.
macro_rules! each_way {
    ($($flow:ident),* $(,)?) => {
        mod called_directly {
            $(#[tokio::test(flavor = "multi_thread")] async fn $flow() { super::$flow($crate::world::Server::start().await).await })*
        }
        mod over_channels {
            $(#[tokio::test(flavor = "multi_thread")] async fn $flow() { super::$flow($crate::world::Server::over_channels().await).await })*
        }
    };
}

pub(crate) use each_way;

/// Directories that serve the store.
pub const PROCESSES: usize = 1;

/// A server on an empty folder, with a clock that a test moves.
pub struct Server {
    pub operator: Operator,
    pub clock: ManualClock,
    pub routes: Router,
    folder: tempfile::TempDir,
    _embedded: Embedded,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|settings| settings).await
    }

    /// The same with some settings of its own.
    pub async fn start_with(change: impl FnOnce(Product) -> Product) -> Self {
        // All of these tests on the other engines: by the developer's wish, since it takes long.
        if std::env::var_os("TEST_DISTRIBUTED_ENGINES").is_some() {
            return Self::on_engines(change).await;
        }
        let (settings, clock, folder) = Self::settings();
        let settings = Settings { product: change(settings.product), ..settings };
        let embedded = Embedded::start(&settings, Arc::new(clock.clone())).await.unwrap();
        Self::of(embedded, clock, folder)
    }

    /// The same with every call between the services over a channel.
    pub async fn over_channels() -> Self {
        let (settings, clock, folder) = Self::settings();
        let (mut channels, clients) = Channels::new().await;
        let embedded =
            Embedded::wired(&settings, Arc::new(clock.clone()), clients, |offered| channels.offer(offered)).await.unwrap();
        Self::of(embedded, clock, folder)
    }

    /// The same on the engines of the distributed shape, over channels.
    pub async fn on_engines(change: impl FnOnce(Product) -> Product) -> Self {
        let (settings, clock, folder) = Self::settings();
        let settings = Settings { product: change(settings.product), ..settings };
        let (mut channels, clients) = Channels::new().await;
        let directory = settings.product.directory();
        // As where several processes serve one store.
        let directory = mynah_directory::Settings { cached_users: 0, cached_rosters: 0, ..directory };
        let own = engines::own(GATEWAY).await;
        let engines = Engines {
            media: Arc::new(bucket(own.name)),
            store: Arc::new(own.store),
            log: Arc::new(own.log),
            bus: Arc::new(own.bus),
            presence: Arc::new(own.presence),
        };
        let offer = |offered| channels.offer(offered);
        let embedded = Embedded::on(engines, &settings, directory, Arc::new(clock.clone()), clients, offer).await.unwrap();
        Self::of(embedded, clock, folder)
    }

    fn of(embedded: Embedded, clock: ManualClock, folder: tempfile::TempDir) -> Self {
        Self { operator: embedded.operator.clone(), routes: embedded.routes(), clock, folder, _embedded: embedded }
    }

    fn settings() -> (Settings, ManualClock, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let product = Product { body_seconds: 1, argon2_memory_kib: 8, argon2_iterations: 1, ..Product::default() };
        let settings = Settings { data_dir: folder.path().into(), product, ..Settings::default() };
        (settings, ManualClock::at(NOON), folder)
    }

    /// Where devices connect to.
    pub async fn address(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let routes = self.routes.clone();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }

    /// Where its data lie.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// An app of its own.
    pub async fn app(&self) -> App {
        App::make(&self.operator, Way(self.routes.clone())).await
    }
}

/// A part of the bucket that nobody else uses.
fn bucket(prefix: String) -> S3Media {
    const BUCKET: &str = "mynah";
    // It ends with the process.
    static RUNNING: OnceLock<S3> = OnceLock::new();
    let s3 = tokio::task::block_in_place(|| {
        RUNNING.get_or_init(|| {
            let s3 = S3::start().unwrap();
            s3.make_bucket(BUCKET).unwrap();
            s3
        })
    });
    let usual = mynah_s3::Settings::new(s3.url(), BUCKET, "key", "secret");
    S3Media::new(&mynah_s3::Settings { prefix, ..usual }).unwrap()
}

/// How a request gets to the server.
#[derive(Clone)]
pub struct Way(pub Router);

impl Way {
    pub async fn ask(&self, request: Request<Body>) -> Response {
        self.0.clone().oneshot(request).await.unwrap()
    }
}
