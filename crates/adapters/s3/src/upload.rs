//! A file on its way into the bucket.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mynah_ports::media_store::{Error, Upload};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::{Bucket, unavailable};

/// The bytes of a part. S3 takes no smaller one, but for the last.
const PART: usize = 5 << 20;

pub(crate) struct Parts {
    bucket: Arc<Bucket>,
    path: Path,
    /// None before the first full part, and once the file is there.
    upload: Option<Box<dyn MultipartUpload>>,
    gathered: Vec<Bytes>,
    size: usize,
    /// Bytes are missing: no commit makes a file of the others.
    broken: bool,
}

impl Parts {
    pub(crate) fn new(bucket: Arc<Bucket>, path: Path) -> Self {
        Self { bucket, path, upload: None, gathered: Vec::new(), size: 0, broken: false }
    }

    fn check(&self) -> Result<(), Error> {
        if self.broken { Err(unavailable("a part of the upload is missing")) } else { Ok(()) }
    }

    /// Nothing is looked for here: whatever is not found, the store is not as it should be.
    async fn ask<T>(bucket: &Bucket, call: impl Future<Output = object_store::Result<T>> + Send) -> Result<T, Error> {
        bucket.bounded(call).await.map_err(|error| match error {
            Error::NotFound => unavailable("the bucket or the upload is gone"),
            other => other,
        })
    }

    fn take(&mut self) -> PutPayload {
        self.size = 0;
        std::mem::take(&mut self.gathered).into_iter().collect()
    }

    async fn put(&mut self) -> Result<(), Error> {
        // Until the part is there; a call that is dropped half way leaves it so.
        self.broken = true;
        let part = self.take();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(Self::ask(&self.bucket, self.bucket.store.put_multipart(&self.path)).await?),
        };
        Self::ask(&self.bucket, upload.put_part(part)).await?;
        self.broken = false;
        Ok(())
    }
}

#[async_trait]
impl Upload for Parts {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.check()?;
        self.size += bytes.len();
        self.gathered.push(bytes);
        if self.size >= PART { self.put().await } else { Ok(()) }
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Error> {
        self.check()?;
        if self.upload.is_none() {
            let file = self.take();
            return Self::ask(&self.bucket, self.bucket.store.put(&self.path, file)).await.map(drop);
        }
        if self.size > 0 {
            self.put().await?;
        }
        if let Some(upload) = &mut self.upload {
            Self::ask(&self.bucket, upload.complete()).await?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Parts {
    /// The parts that are there cost room until they are taken away.
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let (within, path) = (self.bucket.within, self.path.clone());
        runtime.spawn(async move {
            if !matches!(timeout(within, upload.abort()).await, Ok(Ok(()))) {
                tracing::warn!(%path, "an upload that was given up is left to the bucket's rule for incomplete ones");
            }
        });
    }
}
