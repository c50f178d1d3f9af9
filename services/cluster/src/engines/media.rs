//! Uploaded files: a bucket, or a folder that every gateway sees.

use std::sync::Arc;

use mynah_media::LocalMedia;
use mynah_ports::MediaStore;
use mynah_s3::{S3Media, Settings};

use crate::process::{Outcome, Process};

/// The storage of files.
pub(crate) fn media(process: &Process) -> Outcome<Arc<dyn MediaStore>> {
    let told = &process.settings;
    if told.s3_endpoint.is_empty() {
        return Ok(Arc::new(LocalMedia::open(&told.data_dir.join("media"))?));
    }
    let usual = Settings::new(&told.s3_endpoint, &told.s3_bucket, &told.s3_access_key, &told.s3_secret_key);
    Ok(Arc::new(S3Media::new(&Settings { region: told.s3_region.clone(), ..usual })?))
}
