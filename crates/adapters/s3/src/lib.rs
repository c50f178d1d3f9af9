//! Uploaded files in a bucket of an S3-compatible store.
//!
//! Owns how a file gets from a stream to an object, whole or not at all. It knows no app, no signature of links and no HTTP of ours.
//!
//! A file that fits into one part is put at once. A longer one goes part by part as an S3 multipart upload, which is nobody's file until
//! it is completed; memory holds one part of it. Given up, it is aborted. What a killed process leaves can never be read, and is taken
//! away by the bucket's own rule for incomplete uploads, which a deployment has to set.

mod settings;
mod upload;

use std::error::Error as _;
use std::fmt::Display;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use mynah_ports::MediaStore;
use mynah_ports::media_store::{Content, Error, Upload, is_name};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore as _, ObjectStoreExt as _};
use tokio::time::timeout;

pub use settings::{InvalidSettings, Settings};
use upload::Parts;

/// Uploaded files in a bucket.
#[derive(Debug)]
pub struct S3Media {
    bucket: Arc<Bucket>,
}

/// The bucket, with the bound of each call.
#[derive(Debug)]
struct Bucket {
    store: AmazonS3,
    prefix: String,
    within: Duration,
}

impl S3Media {
    /// Names the bucket. It need not be reachable yet.
    ///
    /// # Errors
    /// When the settings cannot be worked with.
    pub fn new(settings: &Settings) -> Result<Self, InvalidSettings> {
        let bucket = Bucket { store: settings.store()?, prefix: settings.prefix.clone(), within: settings.answer_within };
        Ok(Self { bucket: Arc::new(bucket) })
    }
}

impl Bucket {
    /// Only names that the server makes are names.
    fn path(&self, name: &str) -> Result<Path, Error> {
        if !is_name(name) {
            return Err(Error::NotFound);
        }
        let full = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Path::parse(full).map_err(|_| Error::NotFound)
    }

    async fn bounded<T>(&self, call: impl Future<Output = object_store::Result<T>>) -> Result<T, Error> {
        let late = |_| unavailable("no answer in time");
        timeout(self.within, call).await.map_err(late)?.map_err(|error| failed(&error))
    }
}

#[async_trait]
impl MediaStore for S3Media {
    async fn begin(&self, name: &str) -> Result<Box<dyn Upload>, Error> {
        Ok(Box::new(Parts::new(Arc::clone(&self.bucket), self.bucket.path(name)?)))
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Content, Error> {
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let path = self.bucket.path(name)?;
        let found = self.bucket.bounded(self.bucket.store.get_opts(&path, options)).await?;
        // A pause of the stream is bounded by the client's own settings.
        Ok(found.into_stream().map_err(|error| failed(&error)).boxed())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.bucket.path(name)?;
        match self.bucket.bounded(self.bucket.store.delete(&path)).await {
            Err(Error::NotFound) => Ok(()),
            done => done,
        }
    }
}

fn unavailable(why: impl Display) -> Error {
    Error::Unavailable(why.to_string())
}

fn failed(error: &object_store::Error) -> Error {
    match error {
        // A bucket that is missing is a fault of the deployment, and no answer about a file.
        object_store::Error::NotFound { source, .. } if !source.to_string().contains("NoSuchBucket") => Error::NotFound,
        other => unavailable(whole(other)),
    }
}

/// What went wrong, with what lies beneath it: of a certificate that is refused only the lowest speaks.
fn whole(error: &object_store::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said
}
