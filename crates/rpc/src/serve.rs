//! Serving a service: health, reflection, signs of life, and an end that lets each call finish.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mynah_types::Clock;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::util::option_layer;

use crate::Tls;
use crate::counted::CountCalls;
use crate::overdue::RefuseOverdue;
use crate::traced::TraceCalls;

/// A peer is asked for a sign of life so often, and given so long for it.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10));
/// Bytes that may be under way from a peer before they are read.
const WINDOW: u32 = 4 << 20;

/// What is served.
pub struct Serving {
    /// The service.
    pub routes: Routes,
    /// Certificates; none: in the clear.
    pub tls: Option<Tls>,
    /// The time of the deployment, if what its callers have given up by it is not to be begun.
    pub clock: Option<Arc<dyn Clock>>,
}

/// Serves until `stop`; then takes no more calls, and returns when those under way have ended.
///
/// `/grpc.health.v1.Health` says SERVING until then: calls are taken and answered, if only by a refusal. Whether work flows is another matter,
/// and `/readyz` tells it: while its engine is away a service is SERVING and not ready, and its callers are told why they are refused.
///
/// # Errors
/// When the certificates do not serve, or the listener fails.
pub async fn serve(
    listener: TcpListener,
    serving: Serving,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (mut reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(mynah_proto::DESCRIPTORS)
        .build_v1()?;
    let mut server = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(KEEP_ALIVE.0))
        .http2_keepalive_timeout(Some(KEEP_ALIVE.1))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    if let Some(tls) = &serving.tls {
        server = server.tls_config(tls.server())?;
    }
    let stopping = async move {
        stop.await;
        reporter.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        // Ends the calls that watch it, once they have said so: they would hold up the end for as long as their callers please.
        reporter.clear_service_status("").await;
    };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let routes = serving.routes.add_service(health).add_service(reflection);
    let counted = CountCalls::of(mynah_proto::DESCRIPTORS)?;
    server
        .layer(counted)
        .layer(option_layer(serving.clock.map(RefuseOverdue::by)))
        .layer(TraceCalls)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, stopping)
        .await?;
    Ok(())
}
