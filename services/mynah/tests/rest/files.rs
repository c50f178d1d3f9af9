//! Uploads as an app's server makes them.

use axum::body::Body;

use crate::world::{Answer, App};

pub const MULTIPART: &str = "multipart/form-data; boundary=XboundaryX";

/// The head of a picture of that size: enough for whoever looks at its size.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06\x00\x00\x00"]
        .concat()
}

pub fn multipart(part: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--XboundaryX\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n--XboundaryX--\r\n"].concat()
}

pub async fn post(app: &App, kind: &str, body: impl Into<Body>) -> Answer {
    let app = App { content_type: Some(MULTIPART), ..app.clone() };
    app.raw("POST", &format!("/v1/resource?type={kind}"), body).await
}

/// Uploads, and answers the id.
pub async fn upload(app: &App, kind: &str, name: &str, bytes: &[u8]) -> String {
    let answer = post(app, kind, multipart("filename", name, bytes)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["media_id"].as_str().unwrap().to_owned()
}
