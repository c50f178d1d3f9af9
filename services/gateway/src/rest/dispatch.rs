//! The life of a request: credentials, path, body, handler, answer.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Method, header};
use mynah_telemetry::Span;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::timeout;

use super::auth;
use super::call::{Answer, Call, Outcome};
use super::path::{self, Path};
use super::query::Query;
use super::quota::Quota;
use super::refusal::{INVALID, Refusal};
use super::table::{self, Found, TakesBody};
use crate::gateway::Inner;

/// How long a client should wait that was refused for want of room.
const RETRY_AFTER_MS: u32 = 1000;

/// Answers one request.
pub(crate) async fn serve(gateway: Arc<Inner>, request: Request) -> Response {
    let began = Instant::now();
    let (mut route, mut quota) = ("none", None);
    let uri = request.uri().clone();
    let mut span = Span::root("rest.request", mynah_telemetry::extract(request.headers()));
    let outcome = mynah_telemetry::within(span.context(), carry(gateway, request, &mut route, &mut quota)).await;
    let mut response = answer(outcome);
    if let Some(quota) = quota {
        quota.tell(response.headers_mut());
    }
    let status = response.status().as_u16();
    if let (405, Ok(methods)) = (status, HeaderValue::try_from(table::allowed(uri.path()))) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    span.note("http.route", || route);
    span.note("http.response.status_code", || status);
    if status >= 500 {
        span.failed();
    }
    metrics::counter!("mynah_rest_requests_total", "route" => route, "status" => status.to_string()).increment(1);
    metrics::histogram!("mynah_rest_request_seconds", "route" => route).record(began.elapsed().as_secs_f64());
    response
}

/// Credentials are checked before anything else is looked at, and before a body is read.
async fn carry(gateway: Arc<Inner>, request: Request, route: &mut &'static str, quota: &mut Option<Quota>) -> Outcome {
    let (parts, body) = request.into_parts();
    let app = auth::app(&gateway, &parts.headers).await?;
    *quota = gateway.quotas.request(app.app_id, gateway.deps.clock.now_ms());
    if let Some(quota) = quota {
        quota.check()?;
    }
    let Path::Segments(segments) = path::read(parts.uri.path()) else {
        return Err(Refusal::invalid("path", "must be UTF-8"));
    };
    let (row, params) = match table::find(&parts.method, &segments) {
        Found::Row(row, params) => (row, params),
        Found::OtherMethod => return Err(Refusal::new(405, INVALID, "the path has no such method")),
        Found::Nothing => return Err(Refusal::new(404, INVALID, "no such path")),
    };
    *route = row.pattern;
    // A file that comes slowly takes no place from those who ask quickly.
    let places = if row.body == TakesBody::Stream { &gateway.uploads } else { &gateway.places };
    let Ok(_place) = places.try_acquire() else { return Err(too_busy()) };
    let header = |name: header::HeaderName| parts.headers.get(name).cloned();
    let (mut read, mut stream) = (bytes::Bytes::new(), None);
    match row.body {
        TakesBody::No => {}
        TakesBody::Json => read = read_body(&gateway, body).await?,
        TakesBody::Stream => stream = Some((header(header::CONTENT_TYPE), body)),
    }
    let call = Call {
        gateway: Arc::clone(&gateway),
        app,
        params,
        query: Query::read(parts.uri.query()),
        body: read,
        stream: Mutex::new(stream),
        host: header(header::HOST),
        idempotency_key: parts.headers.get("idempotency-key").cloned(),
    };
    if row.body == TakesBody::Stream {
        // In the connection's own task: with a client that goes away the file goes too.
        let within = gateway.deps.settings.upload_within;
        return timeout(within, (row.handler)(call))
            .await
            .unwrap_or_else(|_| Err(Refusal::invalid("file", "did not come in time")));
    }
    let deadline = gateway.deps.settings.deadline;
    // In a task of its own: a client that goes away does not stop a change half-way.
    let task = tokio::spawn(mynah_telemetry::within(mynah_telemetry::current(), (row.handler)(call)));
    match timeout(deadline, task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => {
            tracing::error!(%error, route = row.pattern, "a handler did not end");
            Err(Refusal::new(500, 899_000, "Server internal error"))
        }
        Err(_) => Err(timed_out()),
    }
}

/// No room for the request now.
pub(crate) fn too_busy() -> Refusal {
    Refusal { retry_after_ms: RETRY_AFTER_MS, ..timed_out() }
}

fn timed_out() -> Refusal {
    Refusal::new(503, 899_030, "Server response time out, please try again later")
}

async fn read_body(gateway: &Inner, body: Body) -> Result<bytes::Bytes, Refusal> {
    let settings = &gateway.deps.settings;
    match timeout(settings.body_within, to_bytes(body, settings.body)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refusal::invalid("body", &format!("must come whole, and be at most {} bytes", settings.body))),
        Err(_) => Err(Refusal::invalid("body", "did not come in time")),
    }
}

/// The HTTP form of an outcome.
pub(crate) fn answer(outcome: Outcome) -> Response {
    let (status, body, retry_after_ms) = match outcome {
        Ok(Answer { status, body }) => (status, body, 0),
        Err(refusal) => {
            if refusal.status >= 500 {
                tracing::warn!(code = refusal.code, message = refusal.message, "a request could not be served");
            }
            (refusal.status, Some(json!({"error": refusal.error()})), refusal.retry_after_ms)
        }
    };
    let bytes = body.map(|body| body.to_string()).unwrap_or_default();
    let with_body = !bytes.is_empty();
    let mut response = Response::new(Body::from(bytes));
    // The statuses are literals of this crate.
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if with_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    if status == 503 || status == 429 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_ms.max(RETRY_AFTER_MS).div_ceil(1000)));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Methods are compared without case: one client writes `Get`.
pub(crate) fn same_method(given: &Method, of: &str) -> bool {
    given.as_str().eq_ignore_ascii_case(of)
}
