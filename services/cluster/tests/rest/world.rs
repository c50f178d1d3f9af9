//! A deployment of real processes that all tests of this binary share, with an app of its own for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{Request, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mynah_directory::Operator;
use mynah_local_cluster::{Cluster, Plan};
use mynah_postgres_directory::PostgresDirectory;
use mynah_types::SystemClock;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

pub use crate::app::{Answer, App, basic};

/// Each flow on the deployment.
macro_rules! each_way {
    ($($flow:ident),* $(,)?) => {
        mod on_real_processes {
            $(#[tokio::test(flavor = "multi_thread")] async fn $flow() { super::$flow($crate::world::Server::start().await).await })*
        }
    };
}

pub(crate) use each_way;

/// Directories that serve the store.
pub const PROCESSES: usize = 2;

/// The deployment, as each test has it.
pub struct Server {
    pub operator: Operator,
    pub clock: Unmoved,
    way: Way,
}

/// The clock of real processes.
pub struct Unmoved;

impl Unmoved {
    pub fn advance(&self, _by: u64) {
        panic!("real processes go by a clock that nobody moves");
    }
}

/// It ends with the last test that has it.
struct Deployment {
    cluster: Cluster,
    gateways: Vec<String>,
    turn: AtomicUsize,
    _folder: tempfile::TempDir,
}

impl Deployment {
    /// The one that runs; a new one if none does.
    async fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Deployment>> = Mutex::const_new(Weak::new());
        let mut running = RUNNING.lock().await;
        if let Some(deployment) = running.upgrade() {
            return deployment;
        }
        let started = Arc::new(tokio::task::block_in_place(Self::start));
        *running = Arc::downgrade(&started);
        started
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("argon2_memory_kib", "8"), ("argon2_iterations", "1"), ("body_seconds", "1")];
        let cluster = Cluster::start(Plan {
            binaries: std::path::Path::new(env!("CARGO_BIN_EXE_gateway")).parent().unwrap().into(),
            skewed: None,
            folder: folder.path().into(),
            gateways: 2,
            directories: PROCESSES,
            routers: 3,
            over_tls: false,
            log_databases: 2,
            settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        });
        let cluster = cluster.unwrap();
        let gateways = cluster.status().gateways.into_iter().map(|gateway| gateway.http).collect();
        Self { cluster, gateways, turn: AtomicUsize::new(0), _folder: folder }
    }

    /// Its gateways take turns.
    fn gateway(&self) -> &str {
        &self.gateways[self.turn.fetch_add(1, Ordering::Relaxed) % self.gateways.len()]
    }
}

impl Server {
    pub async fn start() -> Self {
        let deployment = Deployment::shared().await;
        let settings = deployment.cluster.settings();
        let store = PostgresDirectory::open(&settings["directory_database"], 2).await.unwrap();
        let operator = Operator::new(Arc::new(store), settings["secret_key_file"].clone(), Arc::new(SystemClock));
        Self { operator, clock: Unmoved, way: Way(deployment) }
    }

    /// Where devices connect to.
    pub async fn address(&self) -> String {
        self.way.0.gateway().to_owned()
    }

    /// An app of its own.
    pub async fn app(&self) -> App {
        App::make(&self.operator, self.way.clone()).await
    }
}

/// How a request gets to the deployment: each to the next gateway.
#[derive(Clone)]
pub struct Way(Arc<Deployment>);

impl Way {
    pub async fn ask(&self, mut request: Request<Body>) -> Response {
        let gateway = self.0.gateway();
        request.headers_mut().insert(header::HOST, gateway.parse().unwrap());
        *request.uri_mut() = Uri::try_from(request.uri().path_and_query().unwrap().as_str()).unwrap();
        let stream = TokioIo::new(TcpStream::connect(gateway).await.unwrap());
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap().map(Body::new).into_response()
    }
}
