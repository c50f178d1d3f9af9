//! Uploaded files: what is known of them, and the addresses by which they are fetched without the app's credentials.
//!
//! The directory signs and checks, since it has the deployment's key: every gateway agrees, and none holds a key of its own.

use mynah_ports::directory_store::Media;
use mynah_proto::{Failure, directory as wire};
use mynah_types::{AppId, Reason};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::signature::same;
use crate::{Inner, convert};

/// Largest file, in bytes.
const LARGEST: u64 = 8 << 20;
/// Longest name of a file, in bytes.
const NAME: usize = 255;

impl Inner {
    pub(crate) async fn add_media(&self, media: wire::Media) -> Result<wire::Done, Failure> {
        let app = self.app(media.app_id).await?;
        let media = Media {
            id: media.id,
            app: app.id,
            kind: media.kind,
            name: media.name,
            size: media.size,
            crc32: media.crc32,
            hash: media.hash,
            format: media.format,
            width: media.width,
            height: media.height,
            ctime: self.clock.now_ms(),
        };
        self.store.add_media(media).await.map_err(convert::store)?;
        Ok(wire::Done {})
    }

    pub(crate) async fn sign_media(&self, request: wire::SignMediaRequest) -> Result<wire::SignedPath, Failure> {
        let app = self.app(request.app_id).await?;
        let media = self.store.media(&request.id).await.map_err(convert::store)?.ok_or_else(not_found)?;
        if media.app != app.id && !self.speak(app.id, media.app).await? {
            return Err(not_found());
        }
        let expires_ms = self.clock.now_ms() + self.settings.media_lifetime_ms;
        let signature = self.key.sign(&["get", &media.id, &expires_ms.to_string()]);
        Ok(wire::SignedPath { path: format!("/media/{}?e={expires_ms}&s={signature}", media.id), expires_ms })
    }

    pub(crate) async fn open_media(&self, signed: wire::SignedMedia) -> Result<wire::Media, Failure> {
        let expected = self.key.sign(&["get", &signed.id, &signed.expires_ms.to_string()]);
        self.check(&expected, &signed.signature, signed.expires_ms)?;
        let media = self.store.media(&signed.id).await.map_err(convert::store)?.ok_or_else(not_found)?;
        let AppId(app_id) = media.app;
        Ok(wire::Media {
            id: media.id,
            app_id,
            kind: media.kind,
            name: media.name,
            size: media.size,
            crc32: media.crc32,
            hash: media.hash,
            format: media.format,
            width: media.width,
            height: media.height,
        })
    }

    pub(crate) async fn grant_upload(&self, grant: wire::UploadGrant) -> Result<wire::SignedPath, Failure> {
        let app = self.app(grant.app_id).await?;
        if !["image", "file", "voice"].contains(&grant.kind.as_str()) {
            return Err(Failure::invalid("type", "must be image, file or voice"));
        }
        if grant.size == 0 || grant.size > LARGEST {
            return Err(Failure::invalid("size", format!("must be 1 to {LARGEST} bytes")));
        }
        if grant.name.len() > NAME || grant.name.contains(char::is_control) {
            return Err(Failure::invalid("name", format!("must be at most {NAME} bytes, with no control character")));
        }
        let expires_ms = self.clock.now_ms() + self.settings.media_lifetime_ms;
        let signature = self.sign_upload(&grant, expires_ms);
        let crc32 = grant.crc32.map(|crc| format!("&crc32={crc}")).unwrap_or_default();
        let name = utf8_percent_encode(&grant.name, NON_ALPHANUMERIC);
        let path = format!(
            "/media/upload?app={}&type={}&size={}{crc32}&name={name}&e={expires_ms}&s={signature}",
            app.id.0, grant.kind, grant.size
        );
        Ok(wire::SignedPath { path, expires_ms })
    }

    pub(crate) async fn check_upload(&self, signed: wire::SignedUpload) -> Result<wire::UploadGrant, Failure> {
        let grant = signed.grant.unwrap_or_default();
        self.check(&self.sign_upload(&grant, signed.expires_ms), &signed.signature, signed.expires_ms)?;
        Ok(grant)
    }

    fn sign_upload(&self, grant: &wire::UploadGrant, expires_ms: u64) -> String {
        let crc32 = grant.crc32.map(|crc| crc.to_string()).unwrap_or_default();
        let (app, size, expires) = (grant.app_id.to_string(), grant.size.to_string(), expires_ms.to_string());
        self.key.sign(&["put", &app, &grant.kind, &size, &crc32, &grant.name, &expires])
    }

    fn check(&self, expected: &str, given: &str, expires_ms: u64) -> Result<(), Failure> {
        if same(expected, given) && self.clock.now_ms() < expires_ms {
            Ok(())
        } else {
            Err(Failure::new(Reason::SignatureExpired, "the address is not valid any more"))
        }
    }
}

fn not_found() -> Failure {
    Failure::new(Reason::MediaNotFound, "no such media")
}
