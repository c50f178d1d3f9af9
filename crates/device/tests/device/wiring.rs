//! How the services reach one another here: called directly.

use std::sync::Arc;

use mynah_device::Devices;
use mynah_directory::Directory;
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::Router;

pub struct Wiring {
    pub directory: DirectoryClient,
    pub router: RouterClient,
    pub gateway: GatewayClient,
}

impl Wiring {
    pub fn new() -> Self {
        Self { directory: DirectoryClient::late(), router: RouterClient::late(), gateway: GatewayClient::late() }
    }

    pub fn offer_directory(&mut self, service: Directory) {
        self.directory.bind(Arc::new(service));
    }

    pub fn offer_router(&mut self, service: Router) {
        self.router.bind(Arc::new(service));
    }

    pub fn offer_gateway(&mut self, service: Devices) {
        self.gateway.bind(Arc::new(service));
    }
}
