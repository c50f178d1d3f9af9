//! The gateway as a process: the REST API, device connections, media, the web page.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mynah_device::Devices;
use mynah_gateway::Gateway;
use mynah_ports::Presence;
use mynah_proto::gateway::gateway_server::GatewayServer;
use mynah_proto::{DirectoryClient, RouterClient};
use mynah_redis::RedisPresence;
use mynah_runtime::http::{self, Limits};
use mynah_runtime::ops::Ready;
use mynah_types::GatewayId;
use mynah_words::Words;
use tonic::service::Routes;

use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::{engines, peers};

/// How long devices have to go beyond the time over which they are spread.
const DRAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Runs it.
#[must_use]
pub fn main() -> ExitCode {
    let about = "The REST API, device connections, media and web pages of a mynah deployment";
    process::run("gateway", &process::command("gateway", about).get_matches(), run)
}

async fn run(settings: Settings) -> Outcome {
    settings.require(&[
        ("directories", !settings.directories.is_empty()),
        ("routers", !settings.routers.is_empty()),
        ("reports", !settings.reports.is_empty()),
        ("redis", !settings.redis.is_empty()),
    ])?;
    let process = Process::begin(settings).await?;
    let id = GatewayId(process::new_id());
    let presence = Arc::new(engines::presence(&process, id)?);
    let parts = wire(&process, id, Arc::clone(&presence) as Arc<dyn Presence>)?;
    let devices = parts.devices.clone();
    watch_repairs(devices.clone(), Arc::clone(&presence));
    if let Some(changes) = engines::changes(&process)? {
        let following = devices.clone();
        tokio::spawn(async move { following.follow(&*changes).await });
    }
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let routes = Routes::new(GatewayServer::new(devices.clone()));
    // Deliveries are taken until the last device is gone.
    let served = process.serve(routes, None, async move { _ = end.await }).await?;
    let listener = mynah_runtime::process::listen(process.settings.product.http_listen).await?;
    let (directory, router, probed) = (parts.directory, parts.router, devices.clone());
    let asked = Arc::clone(&presence);
    process.readiness.works(move || ready(directory.clone(), router.clone(), probed.clone(), Arc::clone(&asked)));
    let product = &process.settings.product;
    let limits = Limits::public(product.connections);
    let (stopped, readiness, draining, spread) =
        (process.stopped(), process.readiness.clone(), devices.clone(), product.drain_spread_ms);
    let stop = async move {
        stopped.await;
        readiness.ends();
        draining.drain(spread);
    };
    tracing::info!(http = %product.http_listen, gateway = %id, "serving");
    http::serve(listener, devices.routes().merge(parts.rest.routes()), limits, stop).await?;
    devices.gone(Duration::from_millis(spread.into()) + DRAIN_AT_MOST).await;
    _ = ended.send(());
    served.ended().await?;
    if let Some(presence) = Arc::into_inner(presence)
        && let Err(error) = presence.end().await
    {
        tracing::warn!(%error, "presence was not told of the end: the lease lapses");
    }
    Ok(())
}

struct Parts {
    devices: Devices,
    rest: Gateway,
    directory: DirectoryClient,
    router: RouterClient,
}

fn wire(process: &Process, id: GatewayId, presence: Arc<dyn Presence>) -> Outcome<Parts> {
    let (directory, router) = (peers::directory(process), peers::router(process));
    let words = Words::new(directory.clone());
    let product = &process.settings.product;
    let devices = Devices::new(mynah_device::Deps {
        directory: directory.clone(),
        router: router.clone(),
        presence: Arc::clone(&presence),
        gateway_id: id,
        words: words.clone(),
        clock: Arc::clone(&process.clock) as _,
        settings: product.devices(),
    });
    let rest = Gateway::new(mynah_gateway::Deps {
        directory: directory.clone(),
        router: router.clone(),
        report: peers::report(process),
        presence,
        media: engines::media(process)?,
        words,
        clock: Arc::clone(&process.clock) as _,
        settings: product.gateway(),
    });
    Ok(Parts { devices, rest, directory, router })
}

/// Where this gateway was not heard of for a while, its devices look at everything.
fn watch_repairs(devices: Devices, presence: Arc<RedisPresence>) {
    let presence = Arc::downgrade(&presence);
    tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let Some(told) = presence.upgrade() else { return };
            // With an end, so that the presence of a gateway that stops is not held for ever.
            let repaired = tokio::time::timeout(Duration::from_secs(1), told.repaired(seen)).await;
            drop(told);
            if let Ok(now) = repaired {
                seen = now;
                tracing::info!("presence was lost for a while: devices look at everything");
                devices.look_again();
            }
        }
    });
}

/// A message to this gateway by the whole path: directory, router, log, presence, delivery. Without presence it goes on with whom it has.
async fn ready(directory: DirectoryClient, router: RouterClient, devices: Devices, presence: Arc<RedisPresence>) -> Ready {
    peers::directory_answers(&directory).await?;
    let why = match devices.canary(&router).await {
        Ok(without) => return Ok(without.map(|why| engines::hinted(format!("nobody can log in: {why}")))),
        Err(why) => why,
    };
    // What the canary ran into may lie in Redis, which tells more than that something did not arrive.
    match presence.gateways().await {
        Ok(_) => Err(why),
        Err(error) => Err(engines::hinted(format!("{why}: {error}"))),
    }
}
