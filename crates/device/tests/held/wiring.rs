//! How the services reach one another here: called directly, but for the directory, whose answers can be held up on their way.

use std::sync::{Arc, LazyLock};

use mynah_device::Devices;
use mynah_directory::Directory;
use mynah_proto::directory::{directory_client, directory_server::DirectoryServer};
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::Router;
use tokio::sync::{Mutex, MutexGuard, watch};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

/// What stands before the directory's answers: one for the tests of this binary, one test at a time.
pub static GATE: LazyLock<Gate> =
    LazyLock::new(|| Gate { shut: watch::Sender::new(false), held: watch::Sender::new(0), turn: Mutex::new(()) });

pub struct Gate {
    shut: watch::Sender<bool>,
    held: watch::Sender<u32>,
    turn: Mutex<()>,
}

impl Gate {
    /// A test's turn. The gate is open.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        self.open();
        self.held.send_replace(0);
        turn
    }

    pub fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Waits until an answer is held up.
    pub async fn holds_one(&self) {
        self.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }

    async fn pass(&self) {
        if *self.shut.borrow() {
            self.held.send_modify(|held| *held += 1);
            self.shut.subscribe().wait_for(|shut| !*shut).await.unwrap();
        }
    }
}

pub struct Wiring {
    pub directory: DirectoryClient,
    pub router: RouterClient,
    pub gateway: GatewayClient,
    socket: Option<TcpIncoming>,
}

impl Wiring {
    pub fn new() -> Self {
        let socket = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        let directory = DirectoryClient::Channel(directory_client::DirectoryClient::new(channel));
        Self { directory, router: RouterClient::late(), gateway: GatewayClient::late(), socket: Some(socket) }
    }

    pub fn offer_directory(&mut self, service: Directory) {
        let gate = tower::ServiceBuilder::new().and_then(async |answer: axum::http::Response<tonic::body::Body>| {
            GATE.pass().await;
            Ok::<_, std::convert::Infallible>(answer)
        });
        let services = Server::builder().layer(gate.into_inner()).add_service(DirectoryServer::new(service));
        tokio::spawn(services.serve_with_incoming(self.socket.take().unwrap()));
    }

    pub fn offer_router(&mut self, service: Router) {
        self.router.bind(Arc::new(service));
    }

    pub fn offer_gateway(&mut self, service: Devices) {
        self.gateway.bind(Arc::new(service));
    }
}
