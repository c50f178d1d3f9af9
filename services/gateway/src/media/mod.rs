//! Uploaded files: taken in while they stream, fetched by signed addresses.

mod image;
mod serve;
mod take;

use std::sync::Arc;

use axum::Router as Routes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use axum::routing::get;

use crate::gateway::Gateway;

pub(crate) use take::{Kind, Source, answer, last_component, take};

/// Longest name of a file that is kept, in bytes.
pub(crate) const NAME: usize = 255;

pub(crate) fn routes() -> Routes<Gateway> {
    Routes::new().route("/media/{*id}", get(fetch).put(put))
}

async fn fetch(State(gateway): State<Gateway>, Path(id): Path<String>, RawQuery(query): RawQuery, request: Request) -> Response {
    serve::fetch(Arc::clone(&gateway.0), id, query, request.headers()).await
}

async fn put(State(gateway): State<Gateway>, Path(id): Path<String>, RawQuery(query): RawQuery, request: Request) -> Response {
    serve::put_at(Arc::clone(&gateway.0), id, query, request).await
}
