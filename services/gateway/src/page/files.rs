//! The page's files.

use axum::Router as Routes;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{Redirect, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};

use crate::gateway::Gateway;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml";

/// Nothing from elsewhere, nothing inline, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; \
                      manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! files {
    ($($name:literal $kind:ident;)*) => {
        const FILES: &[(&str, &str, &[u8])] = &[$(($name, $kind, include_bytes!(concat!("../../ui/", $name)))),*];
    };
}

files! {
    "index.html" HTML;
    "main.js" SCRIPT;
    "connection.js" SCRIPT;
    "chat.js" SCRIPT;
    "pictures.js" SCRIPT;
    "view.js" SCRIPT;
    "style.css" STYLE;
    "api.html" HTML;
    "api.js" SCRIPT;
    "api.css" STYLE;
    "icon.svg" ICON;
}

pub(crate) fn routes() -> Routes<Gateway> {
    Routes::new()
        .route("/ui", get(|| async { Redirect::to("/ui/") }))
        .route("/ui/", get(|| async { file("index.html") }))
        .route("/ui/{name}", get(|Path(name): Path<String>| async move { file(&name) }))
}

fn file(name: &str) -> Response {
    let found = FILES.iter().find(|(of, _, _)| *of == name);
    let (status, kind, bytes) = match found {
        Some((_, kind, bytes)) => (StatusCode::OK, *kind, *bytes),
        None => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", b"no such page".as_slice()),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
