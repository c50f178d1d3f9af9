//! Uploaded files: addresses to fetch one, and to put one. The bytes go over HTTP, not over the connection.

use mynah_proto::{Failure, directory};
use mynah_types::Reason;
use serde::Deserialize;
use serde_json::json;

use crate::calls::read;
use crate::connection::Session;

#[derive(Deserialize)]
struct Wanted {
    media_id: String,
}

#[derive(Deserialize)]
struct Grant {
    r#type: String,
    size: u64,
    crc32: Option<u32>,
    #[serde(default)]
    name: String,
}

impl Session {
    pub(crate) async fn media_url(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let wanted: Wanted = read(body)?;
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let signed = self.inner.deps.directory.sign_media(directory::SignMediaRequest { app_id, id: wanted.media_id }).await?;
        self.told(&signed)
    }

    /// The device PUTs the bytes, as many as it said, to the address, and is answered as an upload by REST is.
    pub(crate) async fn upload_grant(&self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let Grant { r#type: kind, size, crc32, name } = read(body)?;
        let app_id = self.app.as_ref().map_or(0, |app| app.app_id);
        let grant = directory::UploadGrant { app_id, kind, size, crc32, name };
        let signed = self.inner.deps.directory.grant_upload(grant).await?;
        self.told(&signed)
    }

    /// A path of this server, unless the server knows its public name.
    fn told(&self, signed: &directory::SignedPath) -> Result<Vec<u8>, Failure> {
        let base = self.inner.deps.settings.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
        let body = json!({"url": format!("{base}{}", signed.path), "expires_ms": signed.expires_ms});
        serde_json::to_vec(&body).map_err(|error| Failure::new(Reason::Internal, error.to_string()))
    }
}
