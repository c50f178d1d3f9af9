//! A listener whose connections are bounded in number and in time.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time; those beyond wait in the system's queue.
    pub connections: usize,
    /// A request's head must be there in this time, on a new connection and on one that is kept alive.
    pub head_within: Duration,
}

/// A request's head must be there in this time.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Connections of an operations address.
const OPS_CONNECTIONS: usize = 64;

impl Limits {
    /// Of an address for everybody.
    #[must_use]
    pub const fn public(connections: usize) -> Self {
        Self { connections, head_within: HEAD_WITHIN }
    }

    /// Of an address for operators and their tools.
    #[must_use]
    pub const fn operations() -> Self {
        Self::public(OPS_CONNECTIONS)
    }
}

/// Largest head of a request, in bytes.
const HEAD: usize = 32 << 10;
/// A pause after the system refused a connection, for instance for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`; then takes no more connections, lets each finish the request that it is in, and returns.
///
/// # Errors
/// None at present; connections that fail are their own affair.
pub async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: impl Future<Output = ()>) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let accepting = async {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => _ = tokio::spawn(connection(stream, routes.clone(), limits, place, stopped.clone())),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    _ = stopping.send(true);
    drop(stopped);
    stopping.closed().await;
    Ok(())
}

/// Waits for the word to stop; a sender that is gone says the same.
async fn told(stopped: &mut watch::Receiver<bool>) {
    _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn connection(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it small frames wait for the peer's acknowledgement.
    _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(routes);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head_within).max_buf_size(HEAD).half_close(false);
    let served = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = told(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
    drop(place);
}
