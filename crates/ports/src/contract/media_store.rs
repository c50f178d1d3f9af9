//! What every [`MediaStore`] must do. An adapter's test names a function that makes a [`Harness`] on a fresh, empty namespace.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test suite: the cases are named for what they hold"
)]

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use crate::MediaStore;
use crate::media_store::Error;

/// One store's namespace, as a test sees it.
pub trait Harness: Send + Sync {
    /// Opens it, as another process would.
    fn open(&self) -> Arc<dyn MediaStore>;
    /// Everything that lies in it, half uploads too.
    fn files(&self) -> usize;
}

/// Makes one `#[tokio::test]` of each case of the suite.
#[macro_export]
macro_rules! media_store_contract {
    ($fresh:path) => {
        $crate::media_store_contract!(@cases $fresh; a_file_appears_whole_with_its_commit, ranges_are_exact,
            what_is_given_up_leaves_nothing, what_is_deleted_is_gone, uploads_side_by_side_do_not_mix);
    };
    (@cases $fresh:path; $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::media_store::$case(&$fresh()).await;
            }
        )+
    };
}

const NAME: &str = "store/image/j/0123456789ABCDEF0123456789ABCDEF.png";

async fn read(store: &dyn MediaStore, name: &str, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let parts: Vec<Bytes> = store.read(name, range).await?.try_collect().await?;
    Ok(parts.concat())
}

async fn put(store: &dyn MediaStore, name: &str, parts: &[&[u8]]) {
    let mut upload = store.begin(name).await.unwrap();
    for part in parts {
        upload.write(Bytes::copy_from_slice(part)).await.unwrap();
    }
    upload.commit().await.unwrap();
}

pub async fn a_file_appears_whole_with_its_commit(harness: &dyn Harness) {
    let store = harness.open();
    let mut upload = store.begin(NAME).await.unwrap();
    for _ in 0..300 {
        upload.write(Bytes::from(vec![7; 10_000])).await.unwrap();
    }
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
    upload.commit().await.unwrap();
    assert!(read(&*harness.open(), NAME, 0..3_000_000).await.unwrap().iter().all(|byte| *byte == 7));
    // A file of nothing is a file.
    put(&*store, "store/file/j/EMPTY", &[]).await;
    assert_eq!(harness.files(), 2);
}

pub async fn ranges_are_exact(harness: &dyn Harness) {
    let store = harness.open();
    put(&*store, NAME, &[b"abc", b"def", b"", b"g"]).await;
    for (range, expected) in [(0..7, "abcdefg"), (2..5, "cde"), (6..7, "g")] {
        assert_eq!(read(&*store, NAME, range).await.unwrap(), expected.as_bytes());
    }
}

pub async fn what_is_given_up_leaves_nothing(harness: &dyn Harness) {
    let store = harness.open();
    for written in [0, 1, 3] {
        let mut upload = store.begin(NAME).await.unwrap();
        for _ in 0..written {
            upload.write(Bytes::from(vec![1; 100_000])).await.unwrap();
        }
        drop(upload);
        assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
    }
    // What a dropped upload leaves on its way is taken away soon.
    let began = std::time::Instant::now();
    while harness.files() > 0 {
        assert!(began.elapsed().as_secs() < 10, "{} files are left", harness.files());
        tokio::task::yield_now().await;
    }
    put(&*store, NAME, &[b"x"]).await;
    assert_eq!(read(&*store, NAME, 0..1).await.unwrap(), b"x");
}

pub async fn what_is_deleted_is_gone(harness: &dyn Harness) {
    let store = harness.open();
    put(&*store, NAME, &[b"x"]).await;
    for _ in 0..2 {
        store.delete(NAME).await.unwrap();
        assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
    }
}

pub async fn uploads_side_by_side_do_not_mix(harness: &dyn Harness) {
    let store = harness.open();
    let uploads = (0..16_u8).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { put(&*store, &format!("store/file/j/{n}"), &[&[n; 1000], &[n; 1000]]).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.unwrap();
    }
    for n in 0..16_u8 {
        assert_eq!(read(&*store, &format!("store/file/j/{n}"), 0..2000).await.unwrap(), [n; 2000]);
    }
}
