//! Where uploaded files lie. What is known of them is the directory's.
//!
//! Promises of every adapter (the contract suite holds each):
//! - a file is not there before its upload was committed, and then it is there whole and durable;
//! - an upload that is given up, or forgotten, leaves nothing that can be read;
//! - names are made by the server: letters, digits, `/` and `.`.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// Why the store cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("no such media file")]
    NotFound,
    /// The engine is not reachable or refuses work. Try again later.
    #[error("media store unavailable: {0}")]
    Unavailable(String),
}

/// A part of a file, as it comes.
pub type Content = BoxStream<'static, Result<Bytes, Error>>;

/// Whether the server may have made a name: nothing else is looked for, so that nothing climbs out of the store.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !part.starts_with('.') && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    name.split('/').all(|part| !part.is_empty() && is_part(part))
}

/// The store of uploaded files.
#[async_trait]
pub trait MediaStore: Send + Sync + 'static {
    /// Begins an upload under a name that was never used.
    async fn begin(&self, name: &str) -> Result<Box<dyn Upload>, Error>;

    /// Bytes of a file from `range.start` up to `range.end`; the range is not empty and lies inside the file.
    async fn read(&self, name: &str, range: Range<u64>) -> Result<Content, Error>;

    /// Takes a file away; one that is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), Error>;
}

/// A file that is being uploaded. Dropped, it is given up.
#[async_trait]
pub trait Upload: Send {
    /// Adds bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Makes the file appear, whole and durable.
    async fn commit(self: Box<Self>) -> Result<(), Error>;
}
