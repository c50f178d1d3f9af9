//! Taking a file in: counted, summed and looked at while it streams, never held whole.

use std::sync::Arc;

use axum::Error as BodyError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use mynah_ports::MediaStore;
use mynah_ports::media_store::{Error as StoreError, Upload};
use mynah_proto::directory::Media;
use mynah_proto::{DirectoryClient, Failure};
use mynah_types::Reason;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::NAME;
use super::image::{self, Picture};
use crate::gateway::Inner;
use crate::rest::Refusal;

/// Largest file, in bytes.
const LARGEST: u64 = 8 << 20;
/// The first bytes, which tell what a picture is: a camera's notes and a printer's colours may lie before its size.
const HEAD: usize = 1 << 20;

/// What a file is uploaded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    File,
    Voice,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Image, Self::File, Self::Voice].into_iter().find(|kind| kind.name() == text)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::File => "file",
            Self::Voice => "voice",
        }
    }
}

/// What the uploader said of the bytes before they came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) size: u64,
    pub(crate) crc32: Option<u32>,
}

/// Whose file, and what it is.
pub(crate) struct Source {
    pub(crate) app_id: u64,
    pub(crate) kind: Kind,
    /// As the uploader calls it.
    pub(crate) name: String,
    pub(crate) expected: Option<Expected>,
}

/// Sums of what passed.
struct Passed {
    size: u64,
    crc32: crc32fast::Hasher,
    digest: Sha256,
}

impl Passed {
    fn count(&mut self, bytes: &[u8], most: u64) -> Result<(), Refusal> {
        self.size += bytes.len() as u64;
        if self.size > most {
            return Err(Refusal::invalid("file", &format!("must be at most {most} bytes")));
        }
        self.crc32.update(bytes);
        self.digest.update(bytes);
        Ok(())
    }
}

/// Takes a file in, whole or not at all: dropped half-way, nothing of it is left.
pub(crate) async fn take<S>(gateway: &Inner, source: Source, mut stream: S) -> Result<Media, Refusal>
where
    S: Stream<Item = Result<Bytes, Refusal>> + Unpin + Send,
{
    let most = source.expected.map_or(LARGEST, |expected| expected.size.min(LARGEST));
    let mut passed = Passed { size: 0, crc32: crc32fast::Hasher::new(), digest: Sha256::new() };
    let mut head = Vec::new();
    let mut ended = false;
    let enough = if source.kind == Kind::Image { HEAD } else { 1 };
    while head.len() < enough && !ended {
        match stream.next().await {
            Some(bytes) => {
                let bytes = bytes?;
                passed.count(&bytes, most)?;
                head.extend_from_slice(&bytes);
            }
            None => ended = true,
        }
    }
    if head.is_empty() {
        return Err(Refusal::invalid("file", "must not be empty"));
    }
    let picture = match source.kind {
        Kind::Image => {
            let found = image::picture(&head);
            Some(found.ok_or_else(|| Refusal::invalid("file", "must be a picture: jpg, png, gif or bmp"))?)
        }
        Kind::File | Kind::Voice => None,
    };
    let format = picture.as_ref().map_or_else(|| extension(&source.name), |picture| picture.format.to_owned());
    let id = new_id(source.kind, &format);
    let mut upload = gateway.deps.media.begin(&id).await.map_err(unavailable)?;
    upload.write(head.into()).await.map_err(unavailable)?;
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        passed.count(&bytes, most)?;
        upload.write(bytes).await.map_err(unavailable)?;
    }
    let crc32 = passed.crc32.finalize();
    check(source.expected, passed.size, crc32)?;
    let Picture { width, height, .. } = picture.unwrap_or(Picture { format: "", width: 0, height: 0 });
    let media = Media {
        id,
        app_id: source.app_id,
        kind: source.kind.name().into(),
        name: source.name,
        size: passed.size,
        crc32,
        hash: URL_SAFE_NO_PAD.encode(passed.digest.finalize()),
        format,
        width,
        height,
    };
    // In a task of its own: who goes away now cannot leave a file that nobody knows of.
    let finished = tokio::spawn(finish(Arc::clone(&gateway.deps.media), gateway.deps.directory.clone(), upload, media.clone()));
    finished.await.map_err(|error| Failure::new(Reason::Internal, error.to_string()))??;
    metrics::counter!("mynah_media_uploads_total", "type" => source.kind.name()).increment(1);
    metrics::counter!("mynah_media_uploaded_bytes_total").increment(media.size);
    Ok(media)
}

fn check(expected: Option<Expected>, size: u64, crc32: u32) -> Result<(), Refusal> {
    let Some(expected) = expected else { return Ok(()) };
    if size != expected.size {
        return Err(Refusal::invalid("size", "is not what came"));
    }
    if expected.crc32.is_some_and(|told| told != crc32) {
        return Err(Refusal::invalid("crc32", "is not that of what came"));
    }
    Ok(())
}

/// Makes the file appear and has it noted. If that is refused the file goes: its name, which cannot be guessed, was told to nobody.
async fn finish(
    store: Arc<dyn MediaStore>,
    directory: DirectoryClient,
    upload: Box<dyn Upload>,
    media: Media,
) -> Result<(), Refusal> {
    let id = media.id.clone();
    upload.commit().await.map_err(unavailable)?;
    let noted = directory.add_media(media).await;
    if noted.is_err()
        && let Err(error) = store.delete(&id).await
    {
        tracing::warn!(%error, id, "a file that was not noted is left");
    }
    noted.map(drop).map_err(Refusal::from)
}

fn unavailable(error: StoreError) -> Refusal {
    tracing::warn!(%error, "the media store does not answer");
    metrics::counter!("mynah_media_store_failures_total").increment(1);
    Failure::new(Reason::Unavailable, "the media store does not answer: try again").into()
}

/// Cut on the way, or more than the connection may bring.
pub(crate) fn cut(error: &BodyError) -> Refusal {
    tracing::debug!(%error, "an upload ended early");
    Refusal::invalid("file", "must come whole")
}

fn new_id(kind: Kind, format: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string().to_ascii_uppercase();
    let dot = if format.is_empty() { "" } else { "." };
    format!("mynah/{}/j/{id}{dot}{format}", kind.name())
}

/// The extension of a name in lower case, if it is a plain one.
fn extension(name: &str) -> String {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let plain = (1..=10).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { extension } else { String::new() }
}

/// The last component of a name, whatever system it comes from, cut at a character.
pub(crate) fn last_component(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let mut end = name.len().min(NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_owned()
}

/// What an upload is answered.
pub(crate) fn answer(media: &Media) -> Value {
    let mut members = Map::new();
    members.insert("media_id".into(), media.id.as_str().into());
    members.insert("media_crc32".into(), media.crc32.into());
    match Kind::parse(&media.kind) {
        Some(Kind::Image) => {
            members.insert("width".into(), media.width.into());
            members.insert("height".into(), media.height.into());
            members.insert("format".into(), media.format.as_str().into());
        }
        Some(Kind::Voice) => _ = members.insert("format".into(), media.format.as_str().into()),
        Some(Kind::File) | None => _ = members.insert("fname".into(), media.name.as_str().into()),
    }
    members.insert("fsize".into(), json!(media.size));
    members.insert("hash".into(), media.hash.as_str().into());
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_to_their_last_component() {
        for (name, expected) in [
            ("/home/a/test.png", "test.png"),
            ("C:\\pictures\\me.jpg", "me.jpg"),
            ("../../etc/passwd", "passwd"),
            ("a/", ""),
            ("a\r\nb.txt", "ab.txt"),
        ] {
            assert_eq!(last_component(name), expected);
        }
        assert_eq!(last_component(&"é".repeat(300)).len(), 254);
    }

    #[test]
    fn only_plain_extensions_come_into_an_id() {
        for (name, expected) in
            [("a.M4A", "m4a"), ("a", ""), ("a.", ""), ("a.b/c", ""), ("a.tar.gz", "gz"), ("a.ü", ""), (".x y", "")]
        {
            assert_eq!(extension(name), expected, "{name}");
        }
        let id = new_id(Kind::Voice, "m4a");
        assert!(id.starts_with("mynah/voice/j/") && id.ends_with(".m4a") && id.len() == 14 + 32 + 4, "{id}");
    }
}
