//! Every call between the services over a gRPC channel, as between processes.

use mynah::embedded::{Clients, Offered};
use mynah_proto::directory::{directory_client, directory_server::DirectoryServer};
use mynah_proto::gateway::{gateway_client, gateway_server::GatewayServer};
use mynah_proto::report::{report_client, report_server::ReportServer};
use mynah_proto::router::{router_client, router_server::RouterServer};
use mynah_proto::{DirectoryClient, GatewayClient, ReportClient, RouterClient};
use tokio::net::TcpListener;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server};

/// The sockets of the services.
pub struct Channels {
    directory: Option<TcpListener>,
    router: Option<TcpListener>,
    gateway: Option<TcpListener>,
    report: Option<TcpListener>,
}

async fn socket() -> (Option<TcpListener>, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (Some(listener), Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy())
}

fn serve(services: Router, on: &mut Option<TcpListener>) {
    let incoming = TcpIncoming::from(on.take().unwrap());
    tokio::spawn(services.serve_with_incoming(incoming));
}

impl Channels {
    pub async fn new() -> (Self, Clients) {
        let ((directory, to_directory), (router, to_router)) = (socket().await, socket().await);
        let ((gateway, to_gateway), (report, to_report)) = (socket().await, socket().await);
        let clients = Clients {
            directory: DirectoryClient::Channel(directory_client::DirectoryClient::new(to_directory)),
            router: RouterClient::Channel(router_client::RouterClient::new(to_router)),
            gateway: GatewayClient::Channel(gateway_client::GatewayClient::new(to_gateway)),
            report: ReportClient::Channel(report_client::ReportClient::new(to_report)),
        };
        (Self { directory, router, gateway, report }, clients)
    }

    pub fn offer(&mut self, offered: Offered) {
        let mut server = Server::builder();
        match offered {
            Offered::Directory(service) => serve(server.add_service(DirectoryServer::new(service)), &mut self.directory),
            Offered::Router(service) => serve(server.add_service(RouterServer::new(service)), &mut self.router),
            Offered::Report(service) => serve(server.add_service(ReportServer::new(service)), &mut self.report),
            Offered::Gateway(service) => serve(server.add_service(GatewayServer::new(service)), &mut self.gateway),
        }
    }
}
