//! Uploaded files in a folder of the local disk, by the library that speaks S3 as well.
//!
//! Owns how a file gets from a stream to a durable name. It knows no app, no signature and no HTTP.

use std::ops::Range;
use std::path::Path as Folder;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use mynah_ports::MediaStore;
use mynah_ports::media_store::{Content, Error, Upload, is_name};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};

/// Bytes that are gathered before they are written.
const PART: usize = 256 << 10;

/// Uploaded files in a folder.
#[derive(Debug)]
pub struct LocalMedia(LocalFileSystem);

impl LocalMedia {
    /// Opens the folder, makes it if it is missing, and clears it of uploads that a killed process left half.
    /// It is for one process at a time.
    ///
    /// # Errors
    /// When it can neither be opened, made nor cleared.
    pub fn open(folder: &Folder) -> Result<Self, Error> {
        let cleared = std::fs::create_dir_all(folder).and_then(|()| clear(folder));
        cleared.map_err(|error| Error::Unavailable(format!("{}: {error}", folder.display())))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(&error))?;
        Ok(Self(store.with_fsync(true)))
    }
}

#[async_trait]
impl MediaStore for LocalMedia {
    async fn begin(&self, name: &str) -> Result<Box<dyn Upload>, Error> {
        let upload = self.0.put_multipart(&path(name)?).await.map_err(|error| failed(&error))?;
        Ok(Box::new(Parts { upload, gathered: Vec::new() }))
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Content, Error> {
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let found = self.0.get_opts(&path(name)?, options).await.map_err(|error| failed(&error))?;
        Ok(found.into_stream().map_err(|error| failed(&error)).boxed())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.0.delete(&path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

struct Parts {
    upload: Box<dyn MultipartUpload>,
    gathered: Vec<u8>,
}

impl Parts {
    async fn put(&mut self) -> Result<(), Error> {
        let part = PutPayload::from(std::mem::take(&mut self.gathered));
        self.upload.put_part(part).await.map_err(|error| failed(&error))
    }
}

#[async_trait]
impl Upload for Parts {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() >= PART { self.put().await } else { Ok(()) }
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Error> {
        if !self.gathered.is_empty() {
            self.put().await?;
        }
        self.upload.complete().await.map(drop).map_err(|error| failed(&error))
    }
}

/// Takes half uploads away. The library writes `name#number` until a commit, and no name of ours has a `#`.
fn clear(folder: &Folder) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            clear(&entry.path())?;
        } else if entry.file_name().to_string_lossy().contains('#') {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Only names that the server makes are names: nothing climbs out of the folder.
fn path(name: &str) -> Result<Path, Error> {
    if is_name(name) { Path::parse(name).map_err(|_| Error::NotFound) } else { Err(Error::NotFound) }
}

fn failed(error: &object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::NotFound,
        other => Error::Unavailable(other.to_string()),
    }
}
