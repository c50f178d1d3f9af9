//! How the services reach one another here: over gRPC channels, as between processes.

use mynah_device::Devices;
use mynah_directory::Directory;
use mynah_proto::directory::{directory_client, directory_server::DirectoryServer};
use mynah_proto::gateway::{gateway_client, gateway_server::GatewayServer};
use mynah_proto::router::{router_client, router_server::RouterServer};
use mynah_proto::{DirectoryClient, GatewayClient, RouterClient};
use mynah_router::Router;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

pub struct Wiring {
    pub directory: DirectoryClient,
    pub router: RouterClient,
    pub gateway: GatewayClient,
    sockets: [Option<TcpIncoming>; 3],
}

fn socket() -> (Option<TcpIncoming>, Channel) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    (Some(incoming), Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy())
}

fn serve(services: tonic::transport::server::Router, on: &mut Option<TcpIncoming>) {
    tokio::spawn(services.serve_with_incoming(on.take().unwrap()));
}

impl Wiring {
    pub fn new() -> Self {
        let ((directory, to_directory), (router, to_router), (gateway, to_gateway)) = (socket(), socket(), socket());
        Self {
            directory: DirectoryClient::Channel(directory_client::DirectoryClient::new(to_directory)),
            router: RouterClient::Channel(router_client::RouterClient::new(to_router)),
            gateway: GatewayClient::Channel(gateway_client::GatewayClient::new(to_gateway)),
            sockets: [directory, router, gateway],
        }
    }

    pub fn offer_directory(&mut self, service: Directory) {
        serve(Server::builder().add_service(DirectoryServer::new(service)), &mut self.sockets[0]);
    }

    pub fn offer_router(&mut self, service: Router) {
        serve(Server::builder().add_service(RouterServer::new(service)), &mut self.sockets[1]);
    }

    pub fn offer_gateway(&mut self, service: Devices) {
        serve(Server::builder().add_service(GatewayServer::new(service)), &mut self.sockets[2]);
    }
}
