//! Uploaded files: a bucket, or a folder that every gateway sees.

use std::sync::Arc;

use mynah_media::LocalMedia;
use mynah_ports::MediaStore;
use mynah_ports::media_store::Error;
use mynah_s3::{S3Media, Settings};

use super::protection::tell;
use crate::process::{Outcome, Process};

/// No file has this name.
const NOBODYS: &str = "nobodys";

/// The storage of files.
pub(crate) fn media(process: &Process) -> Outcome<Arc<dyn MediaStore>> {
    let told = &process.settings;
    if told.s3_endpoint.is_empty() {
        return Ok(Arc::new(LocalMedia::open(&told.data_dir.join("media"))?));
    }
    let usual = Settings::new(&told.s3_endpoint, &told.s3_bucket, &told.s3_access_key, &told.s3_secret_key);
    let settings = Settings { region: told.s3_region.clone(), authorities: process.authorities.clone(), ..usual };
    tell(told, "s3_endpoint", settings.is_encrypted());
    let media: Arc<dyn MediaStore> = Arc::new(S3Media::new(&settings).map_err(|error| format!("s3_endpoint: {error}"))?);
    if settings.is_encrypted() {
        tokio::spawn(ask(Arc::clone(&media)));
    }
    Ok(media)
}

/// What is wrong with a certificate is told at the start, and not with the first upload only.
async fn ask(media: Arc<dyn MediaStore>) {
    if let Err(Error::Unavailable(error)) = media.read(NOBODYS, 0..1).await {
        tracing::warn!(
            error,
            "the storage of files (s3_endpoint) does not answer; whose certificates count is told by engines_tls_ca"
        );
    }
}
