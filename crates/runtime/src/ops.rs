//! What operators and their tools ask: health, readiness, metrics. Served apart from the public port.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use hyper::StatusCode;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the buckets of counts and sizes.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0];
/// How often recorded durations are folded into their buckets, so that nothing piles up while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);
/// An answer about readiness that takes longer is a no.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// Whether a process can work: if so, what it has to do without; if not, why.
pub type Ready = Result<Option<String>, String>;

/// Makes this process record metrics, and keeps them.
///
/// # Errors
/// A recorder was there before.
pub fn record_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?
        .set_buckets(COUNTS)?
        .install_recorder()?;
    let kept = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            kept.run_upkeep();
        }
    });
    Ok(handle)
}

/// `/healthz` (the process lives), `/readyz` (it can work: `ready` says what it cannot, or what it works without), `/metrics`.
pub fn routes<F, Fut>(metrics: PrometheusHandle, ready: F) -> Router
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Ready> + Send,
{
    let ready = Arc::new(ready);
    let readyz = move || {
        let ready = Arc::clone(&ready);
        async move {
            match tokio::time::timeout(READY_WITHIN, ready()).await {
                Ok(Ok(None)) => (StatusCode::OK, "ready\n".to_owned()).into_response(),
                Ok(Ok(Some(lack))) => (StatusCode::OK, format!("ready, but {lack}\n")).into_response(),
                Ok(Err(why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no answer in time\n".to_owned()).into_response(),
            }
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(move || async move { metrics.render() }))
}
