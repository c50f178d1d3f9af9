//! `mynah serve`: the embedded shape on its two addresses, until a signal.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mynah::embedded::Embedded;
use mynah::settings::Settings;
use mynah_directory::Credentials;
use mynah_runtime::http::{self, Limits};
use mynah_runtime::{ops, process};
use mynah_types::SystemClock;

/// How long a shutdown waits for connections to close.
const DRAIN_AT_MOST: Duration = Duration::from_secs(5);

/// Serves until a signal, or until the message log fails.
pub async fn serve(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let metrics = ops::record_metrics()?;
    let embedded = Arc::new(Embedded::start(settings, Arc::new(SystemClock)).await?);
    let http = process::listen(settings.product.http_listen).await?;
    let ops = process::listen(settings.product.ops_listen).await?;
    if let Some(made) = embedded.operator.ensure_demo_app().await? {
        welcome(settings, &made);
    }
    tracing::info!(http = %settings.product.http_listen, ops = %settings.product.ops_listen, data_dir = %settings.data_dir.display(), "serving");
    for address in
        [settings.product.http_listen, settings.product.ops_listen].iter().filter(|address| !address.ip().is_loopback())
    {
        tracing::warn!(%address, "plain HTTP beyond this machine: put TLS in front of it");
    }
    let watched = Arc::clone(&embedded);
    let operations = ops::routes(metrics, move || {
        let ready = watched.ready();
        async move { ready.await.map(|()| None) }
    });
    let operations = http::serve(ops, operations, Limits::operations(), std::future::pending());
    // A log that failed ends the process too; what is under way is still answered, retryably.
    let failed = AtomicBool::new(false);
    let stop = async {
        tokio::select! {
            () = process::signal() => tracing::info!("stopping"),
            () = embedded.failed() => failed.store(true, Ordering::SeqCst),
        }
        embedded.devices.drain(settings.product.drain_spread_ms);
    };
    let public = http::serve(http, embedded.routes(), Limits::public(settings.product.connections), stop);
    tokio::select! {
        served = public => served?,
        served = operations => served?,
    }
    embedded.devices.gone(DRAIN_AT_MOST).await;
    if failed.load(Ordering::SeqCst) {
        return Err("the message log failed: see the log line above; nothing acknowledged is lost".into());
    }
    Ok(())
}

/// What a person does first, ready to be pasted. The secret is shown this once.
#[allow(clippy::print_stdout, reason = "the first start talks to a person")]
fn welcome(settings: &Settings, made: &Credentials) {
    let at = settings.product.http_listen;
    let (appkey, secret) = (&made.appkey, &made.master_secret);
    println!("A demo app was made; its secret is shown this once.");
    println!("  appKey:       {appkey}\n  masterSecret: {secret}\n");
    println!("Register a user:");
    println!("  curl -u {appkey}:{secret} http://{at}/v1/users -d '[{{\"username\":\"anna\",\"password\":\"secret\"}}]'\n");
    println!("Chat in two browser windows: http://{at}/ui/");
}
