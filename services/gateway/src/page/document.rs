//! `/openapi.json`: the description of the API, for programs; `/ui/api.html` shows it to people.

use std::sync::LazyLock;

use axum::Router as Routes;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, header};

use crate::gateway::Gateway;
use crate::rest;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| rest::openapi().to_string().into());

pub(crate) fn routes() -> Routes<Gateway> {
    Routes::new().route("/openapi.json", get(|| async { document() }))
}

/// The same for everybody, and without credentials: it says nothing about any app.
fn document() -> Response {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
