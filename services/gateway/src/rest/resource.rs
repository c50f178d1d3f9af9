//! Media: an upload is read while it streams, a download is a signed address.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::HeaderValue;
use mynah_proto::directory::SignMediaRequest;
use serde_json::json;

use super::call::{Answer, Call, Outcome};
use super::refusal::Refusal;
use crate::media::{Kind, Source, answer, last_component, take};

/// What may stand around the file: heads of parts, small fields before it.
const AROUND: u64 = 64 << 10;
/// Largest file, in bytes.
const FILE: u64 = 8 << 20;
/// Parts that are looked at for the file.
const PARTS: usize = 16;
/// Longest id that is looked for, in bytes.
const ID: usize = 256;

pub(crate) async fn address(call: Call) -> Outcome {
    let id = call.query.text("mediaId").filter(|id| !id.is_empty()).ok_or_else(|| Refusal::invalid("mediaId", "is missing"))?;
    if id.len() > ID {
        return Err(Refusal::invalid("mediaId", &format!("must be at most {ID} bytes")));
    }
    let request = SignMediaRequest { app_id: call.app.app_id, id: id.to_owned() };
    let signed = call.directory().sign_media(request).await?;
    Answer::ok(json!({"url": format!("{}{}", call.base(), signed.path)}))
}

/// The first part that has a file name, whatever the part is called: clients differ.
pub(crate) async fn upload(call: Call) -> Outcome {
    let missing = || Refusal::invalid("type", "must be image, file or voice");
    let kind = call.query.text("type").and_then(Kind::parse).ok_or_else(missing)?;
    let Some((content_type, body)) = call.take_body() else { return Err(Refusal::invalid("body", "is missing")) };
    let boundary = boundary(content_type.as_ref()).ok_or_else(|| Refusal::invalid("body", "must be multipart/form-data"))?;
    let mut parts = multer::Multipart::with_constraints(counted(body), boundary, constraints());
    for _ in 0..PARTS {
        let part = parts.next_field().await.map_err(|error| broken(&error))?;
        let Some(part) = part else { break };
        let Some(name) = part.file_name().map(last_component) else { continue };
        let source = Source { app_id: call.app.app_id, kind, name, expected: None };
        let stream = part.map(|bytes| bytes.map_err(|error| broken(&error)));
        let media = take(&call.gateway, source, stream).await?;
        return Answer::ok(answer(&media));
    }
    Err(Refusal::invalid("file", "must be a part with a file name"))
}

fn constraints() -> multer::Constraints {
    multer::Constraints::new().size_limit(multer::SizeLimit::new().whole_stream(FILE + AROUND))
}

fn counted(body: Body) -> impl futures_util::Stream<Item = Result<Bytes, axum::Error>> + Send {
    body.into_data_stream()
}

fn broken(error: &multer::Error) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } => Refusal::invalid("file", &format!("must be at most {FILE} bytes")),
        _ => Refusal::invalid("body", "must be multipart/form-data that comes whole"),
    }
}

/// The boundary as it stands: one client's begins with signs of equality, which a strict reader of media types does not take.
fn boundary(content_type: Option<&HeaderValue>) -> Option<String> {
    let text = content_type?.to_str().ok()?;
    let (media_type, parameters) = text.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found = parameters.split(';').find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (1..=70).contains(&found.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_of_real_clients_are_read() {
        let read = |text: &'static str| boundary(Some(&HeaderValue::from_static(text)));
        for (text, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; boundary=\"a b\"; charset=utf-8", Some("a b")),
            ("Multipart/Form-Data;boundary=========7d4a6d158c9", Some("========7d4a6d158c9")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("application/json; boundary=abc", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
