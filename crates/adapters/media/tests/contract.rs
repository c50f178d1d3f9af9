//! The store's contract over a folder, and what is the folder's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mynah_media::LocalMedia;
use mynah_ports::MediaStore;
use mynah_ports::contract::media_store::Harness;
use mynah_ports::media_store::Error;

struct Folder(tempfile::TempDir);

fn count(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

impl Harness for Folder {
    fn open(&self) -> Arc<dyn MediaStore> {
        Arc::new(LocalMedia::open(&self.0.path().join("media")).unwrap())
    }

    fn files(&self) -> usize {
        count(self.0.path())
    }
}

fn fresh() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

mynah_ports::media_store_contract!(fresh);

#[tokio::test]
async fn no_name_leaves_the_folder() {
    let folder = fresh();
    std::fs::write(folder.0.path().join("secret.key"), "secret").unwrap();
    let store = folder.open();
    for name in ["../secret.key", "/etc/passwd", "a/../../secret.key", "", "a//b", ".hidden", "a b", "a%2e%2e/b", "ü"] {
        assert!(matches!(store.read(name, 0..1).await, Err(Error::NotFound)), "{name}");
        assert!(store.begin(name).await.is_err(), "{name}");
    }
}

/// A process that is killed takes nothing back: whoever opens the folder next does.
#[tokio::test]
async fn what_a_killed_process_left_half_is_cleared_at_the_next_start() {
    let folder = fresh();
    let store = folder.open();
    let mut upload = store.begin("store/file/j/WHOLE.1").await.unwrap();
    upload.write(Bytes::from_static(b"whole")).await.unwrap();
    upload.commit().await.unwrap();
    let mut half = store.begin("store/file/j/HALF").await.unwrap();
    half.write(Bytes::from(vec![1; 600_000])).await.unwrap();
    std::mem::forget(half);
    drop(store);
    assert_eq!(folder.files(), 2);
    let store = folder.open();
    assert_eq!(folder.files(), 1);
    assert!(store.read("store/file/j/WHOLE.1", 0..5).await.is_ok());
}
