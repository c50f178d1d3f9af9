//! Signed addresses: fetching a file, and putting one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mynah_proto::Failure;
use mynah_proto::directory::{Media, SignedMedia, SignedUpload, UploadGrant};
use mynah_types::Reason;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::image::content_type;
use super::take::{Expected, Kind, Source, answer, cut, last_component, take};
use crate::gateway::Inner;
use crate::rest::{self, Answer, Refusal};

/// Longest query of an address.
const QUERY: usize = 2048;

fn parameters(query: Option<String>) -> HashMap<String, String> {
    let query = query.filter(|query| query.len() <= QUERY).unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Wrong and too old look the same, and neither tells whether there is a file.
fn forbidden() -> Refusal {
    Refusal::new(403, rest::INVALID, "the address is not valid any more")
}

fn refused(failure: Failure) -> Refusal {
    match failure.why() {
        Reason::SignatureExpired | Reason::MediaNotFound => forbidden(),
        _ => failure.into(),
    }
}

pub(super) async fn fetch(gateway: Arc<Inner>, id: String, query: Option<String>, headers: &HeaderMap) -> Response {
    match file(&gateway, id, query, headers).await {
        Ok(response) => response,
        Err(refusal) => rest::answer(Err(refusal)),
    }
}

async fn file(gateway: &Inner, id: String, query: Option<String>, headers: &HeaderMap) -> Result<Response, Refusal> {
    let parameters = parameters(query);
    let text = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let expires_ms = text("e").parse().map_err(|_| forbidden())?;
    let signed = SignedMedia { id, expires_ms, signature: text("s") };
    let media = gateway.deps.directory.open_media(signed).await.map_err(refused)?;
    let etag = format!("\"{}\"", media.hash);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == etag)) {
        return Ok(described(StatusCode::NOT_MODIFIED, &media, &etag, Body::empty()));
    }
    let (status, range) = match range(headers, &etag, media.size) {
        Asked::Whole => (StatusCode::OK, 0..media.size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Nothing => {
            let mut response = described(StatusCode::RANGE_NOT_SATISFIABLE, &media, &etag, Body::empty());
            put(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{}", media.size));
            return Ok(response);
        }
    };
    let content = gateway.deps.media.read(&media.id, range.clone()).await.map_err(|error| {
        tracing::error!(%error, id = media.id, "a file that is noted cannot be read");
        Refusal::from(Failure::new(Reason::Unavailable, "the media store does not answer: try again"))
    })?;
    let mut response = described(status, &media, &etag, Body::from_stream(content));
    put(response.headers_mut(), header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, media.size);
        put(response.headers_mut(), header::CONTENT_RANGE, &text);
    }
    Ok(response)
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    // What is put here is ASCII of our own making.
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Only pictures are shown; everything else is a download, and nothing that comes from here may run.
fn described(status: StatusCode, media: &Media, etag: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let picture = content_type(&media.format).filter(|_| media.kind == "image");
    put(headers, header::CONTENT_TYPE, picture.unwrap_or("application/octet-stream"));
    if picture.is_none() {
        let name = utf8_percent_encode(&media.name, NON_ALPHANUMERIC);
        put(headers, header::CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{name}"));
    }
    put(headers, header::ETAG, etag);
    put(headers, header::ACCEPT_RANGES, "bytes");
    put(headers, header::CACHE_CONTROL, "private, max-age=3600, immutable");
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    put(headers, header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    response
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// One range is served; several, or another form, get the whole file, as RFC 9110 (14.2) lets a server do.
fn range(headers: &HeaderMap, etag: &str, size: u64) -> Asked {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|of| of != etag) {
        return Asked::Whole;
    }
    let Some(spec) = text(header::RANGE).and_then(|text| text.strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Asked::Whole };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..size,
        (Err(_), Ok(last)) if first.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

/// A device's upload: one file, as it was granted.
async fn put_file(gateway: &Inner, query: Option<String>, request: Request) -> Result<Media, Refusal> {
    let parameters = parameters(query);
    let text = |name: &str| parameters.get(name).cloned().unwrap_or_default();
    let number = |name: &str| text(name).parse::<u64>().map_err(|_| forbidden());
    let crc32 = match text("crc32").as_str() {
        "" => None,
        crc => Some(crc.parse().map_err(|_| forbidden())?),
    };
    let grant = UploadGrant { app_id: number("app")?, kind: text("type"), size: number("size")?, crc32, name: text("name") };
    let signed = SignedUpload { grant: Some(grant), expires_ms: number("e")?, signature: text("s") };
    let grant = gateway.deps.directory.check_upload(signed).await.map_err(refused)?;
    let kind = Kind::parse(&grant.kind).ok_or_else(forbidden)?;
    let Ok(_place) = gateway.uploads.try_acquire() else { return Err(rest::too_busy()) };
    let expected = Some(Expected { size: grant.size, crc32: grant.crc32 });
    let source = Source { app_id: grant.app_id, kind, name: last_component(&grant.name), expected };
    let stream = request.into_body().into_data_stream().map(|bytes| bytes.map_err(|error| cut(&error)));
    match tokio::time::timeout(gateway.deps.settings.upload_within, take(gateway, source, stream)).await {
        Ok(taken) => taken,
        Err(_) => Err(Refusal::invalid("file", "did not come in time")),
    }
}

pub(super) async fn put_at(gateway: Arc<Inner>, id: String, query: Option<String>, request: Request) -> Response {
    if id != "upload" {
        return rest::answer(Err(Refusal::new(405, rest::INVALID, "the path has no such method")));
    }
    let taken = put_file(&gateway, query, request).await;
    rest::answer(taken.map(|media| Answer { status: 200, body: Some(answer(&media)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_exact_and_what_is_no_range_is_the_whole() {
        let asked = |text: &str, if_range: Option<&str>| {
            let mut headers = HeaderMap::new();
            put(&mut headers, header::RANGE, text);
            if let Some(of) = if_range {
                put(&mut headers, header::IF_RANGE, of);
            }
            range(&headers, "\"tag\"", 10)
        };
        for (text, expected) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("bytes=4-", Asked::Part(4..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=9-99", Asked::Part(9..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=3-2", Asked::Whole),
            ("bytes=0-1,4-5", Asked::Whole),
            ("lines=0-3", Asked::Whole),
            ("bytes=x-y", Asked::Whole),
        ] {
            assert_eq!(asked(text, None), expected, "{text}");
        }
        assert_eq!(asked("bytes=0-3", Some("\"other\"")), Asked::Whole);
        assert_eq!(asked("bytes=0-3", Some("\"tag\"")), Asked::Part(0..4));
    }
}
