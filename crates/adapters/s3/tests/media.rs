//! The store's contract over a real S3-compatible server, and what is a bucket's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use mynah_engines::{Authority, S3, Signal};
use mynah_ports::MediaStore;
use mynah_ports::contract::media_store::Harness;
use mynah_ports::media_store::{Error, Upload};
use mynah_s3::{S3Media, Settings};

const NAME: &str = "store/file/j/LONG.1";
/// More than two parts.
const SIZE: usize = 12_000_000;
const WITHIN: Duration = Duration::from_secs(2);
/// What is waited for comes long before.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bucket of its own.
struct Bucket {
    server: Arc<S3>,
    name: String,
}

impl Harness for Bucket {
    fn open(&self) -> Arc<dyn MediaStore> {
        store(&self.server, &self.name, Duration::from_secs(20))
    }

    fn files(&self) -> usize {
        let (objects, uploads) = self.server.count(&self.name).unwrap();
        objects + uploads
    }
}

fn store(server: &S3, bucket: &str, answer_within: Duration) -> Arc<dyn MediaStore> {
    let settings = Settings { prefix: "media".to_owned(), answer_within, ..Settings::new(server.url(), bucket, "key", "secret") };
    Arc::new(S3Media::new(&settings).unwrap())
}

fn fresh() -> Bucket {
    static SHARED: Mutex<Weak<S3>> = Mutex::new(Weak::new());
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut shared = SHARED.lock().unwrap();
    let server = shared.upgrade().unwrap_or_else(|| Arc::new(S3::start().unwrap()));
    *shared = Arc::downgrade(&server);
    let name = format!("bucket{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server.make_bucket(&name).unwrap();
    Bucket { server, name }
}

mynah_ports::media_store_contract!(fresh);

/// Bytes that differ from place to place.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at / 7 + at / 65_521) % 251).unwrap()).collect()
}

async fn write(upload: &mut dyn Upload, content: &[u8]) -> Result<(), Error> {
    for piece in content.chunks(64 << 10) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
    }
    Ok(())
}

async fn read(store: &dyn MediaStore, name: &str, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let parts: Vec<Bytes> = store.read(name, range).await?.try_collect().await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn a_file_of_many_parts_appears_whole_with_its_commit() {
    let bucket = fresh();
    let (store, all) = (bucket.open(), content(SIZE));
    let mut upload = store.begin(NAME).await.unwrap();
    write(&mut *upload, &all).await.unwrap();
    assert_eq!(bucket.server.count(&bucket.name).unwrap(), (0, 1));
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
    upload.commit().await.unwrap();
    assert_eq!(bucket.server.count(&bucket.name).unwrap(), (1, 0));
    assert!(read(&*bucket.open(), NAME, 0..SIZE as u64).await.unwrap() == all);
    // Over the edge of the first two parts.
    let edge = 5_242_880 - 10..5_242_880 + 10_usize;
    let part = read(&*store, NAME, edge.start as u64..edge.end as u64).await.unwrap();
    assert_eq!(Some(part.as_slice()), all.get(edge));
}

#[tokio::test]
async fn a_long_file_that_is_given_up_leaves_no_parts() {
    let bucket = fresh();
    let store = bucket.open();
    let mut upload = store.begin(NAME).await.unwrap();
    write(&mut *upload, &content(SIZE)).await.unwrap();
    drop(upload);
    let began = Instant::now();
    while bucket.files() > 0 {
        assert!(began.elapsed() < PATIENCE, "{} files are left", bucket.files());
        tokio::task::yield_now().await;
    }
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn no_name_leaves_the_prefix() {
    let bucket = fresh();
    let store = bucket.open();
    for name in ["../secret.key", "/etc/passwd", "a/../../secret.key", "", "a//b", ".hidden", "a b", "a%2e%2e/b", "ü"] {
        assert!(matches!(read(&*store, name, 0..1).await, Err(Error::NotFound)), "{name}");
        assert!(store.begin(name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_no_missing_file() {
    let bucket = fresh();
    let store = store(&bucket.server, "nobodys", WITHIN);
    let mut long = store.begin(NAME).await.unwrap();
    assert!(matches!(write(&mut *long, &content(SIZE)).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.begin(NAME).await.unwrap().commit().await, Err(Error::Unavailable(_))));
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::Unavailable(_))));
    assert!(matches!(store.delete(NAME).await, Err(Error::Unavailable(_))));
}

fn bounded<T: std::fmt::Debug>(what: &str, began: Instant, answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{what}: {answer:?}");
    assert!(began.elapsed() < WITHIN * 3, "{what} took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_stands_still_fails_calls_in_bounded_time() {
    let server = S3::start().unwrap();
    server.make_bucket("files").unwrap();
    let (store, all) = (store(&server, "files", WITHIN), content(SIZE));
    let mut upload = store.begin(NAME).await.unwrap();
    write(&mut *upload, &all).await.unwrap();
    server.signal(Signal::STOP);
    let began = Instant::now();
    bounded("a read", began, read(&*store, NAME, 0..1).await);
    let began = Instant::now();
    bounded("a deletion", began, store.delete(NAME).await);
    let began = Instant::now();
    bounded("an upload", began, store.begin(NAME).await.unwrap().commit().await);
    server.signal(Signal::CONT);
    // What was begun goes on, as if nothing had been.
    write(&mut *upload, &all).await.unwrap();
    upload.commit().await.unwrap();
    assert!(read(&*store, NAME, 0..2 * SIZE as u64).await.unwrap() == [all.clone(), all].concat());
}

#[tokio::test]
async fn a_killed_server_costs_what_was_on_its_way_and_no_more() {
    let mut server = S3::start().unwrap();
    server.make_bucket("files").unwrap();
    let (store, all) = (store(&server, "files", WITHIN), content(SIZE));
    let mut upload = store.begin(NAME).await.unwrap();
    write(&mut *upload, &all).await.unwrap();
    server.kill();
    let began = Instant::now();
    bounded("the rest of the upload", began, write(&mut *upload, &all).await);
    let began = Instant::now();
    bounded("a commit", began, upload.commit().await);
    let began = Instant::now();
    bounded("a read", began, read(&*store, NAME, 0..1).await);

    server.restart().unwrap();
    server.make_bucket("files").unwrap();
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
    let mut upload = store.begin(NAME).await.unwrap();
    write(&mut *upload, &all).await.unwrap();
    upload.commit().await.unwrap();
    assert!(read(&*store, NAME, 0..SIZE as u64).await.unwrap() == all);
}

/// A write that failed took bytes with it: what is left must not pass for the file.
#[tokio::test]
async fn an_upload_that_lost_bytes_never_becomes_a_file() {
    let server = S3::start().unwrap();
    server.make_bucket("files").unwrap();
    let (store, all) = (store(&server, "files", WITHIN), content(6_000_000));
    let mut upload = store.begin(NAME).await.unwrap();
    server.signal(Signal::STOP);
    assert!(write(&mut *upload, &all).await.is_err());
    server.signal(Signal::CONT);
    assert!(write(&mut *upload, b"the end").await.is_err());
    assert!(upload.commit().await.is_err());
    assert!(matches!(read(&*store, NAME, 0..1).await, Err(Error::NotFound)));
}

/// A bucket over TLS, by whatever host.
fn trusting(endpoint: &str, authority: &Authority) -> S3Media {
    let usual = Settings::new(endpoint, "files", "key", "secret");
    S3Media::new(&Settings { authorities: Some(authority.pem()), answer_within: WITHIN, ..usual }).unwrap()
}

async fn refusal(store: &S3Media) -> String {
    let Err(Error::Unavailable(why)) = read(store, NAME, 0..1).await else { panic!("it was answered") };
    why
}

#[tokio::test]
async fn a_bucket_over_tls_works_and_goes_on_when_its_server_is_back() {
    let authority = Authority::new().unwrap();
    let mut server = S3::start_tls(&authority.certificate().unwrap()).unwrap();
    assert!(server.url().starts_with("https://"));
    let (store, all) = (trusting(&server.url(), &authority), content(SIZE));
    for _ in 0..2 {
        server.make_bucket("files").unwrap();
        let mut upload = store.begin(NAME).await.unwrap();
        write(&mut *upload, &all).await.unwrap();
        upload.commit().await.unwrap();
        assert!(read(&store, NAME, 0..SIZE as u64).await.unwrap() == all);
        server.kill();
        server.restart().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_is_refused() {
    let (authority, strange) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = S3::start_tls(&authority.certificate().unwrap()).unwrap();
    server.make_bucket("files").unwrap();
    let why = refusal(&trusting(&server.url(), &strange)).await;
    assert!(why.contains("UnknownIssuer"), "{why}");
    let why = refusal(&trusting(&server.url().replace("127.0.0.1", "localhost"), &authority)).await;
    assert!(why.contains("not valid for name"), "{why}");
    // Nor does the system know the test's own authority.
    let by_system = S3Media::new(&Settings { answer_within: WITHIN, ..Settings::new(server.url(), "files", "key", "secret") });
    let why = refusal(&by_system.unwrap()).await;
    assert!(why.contains("certificate"), "{why}");
    // A server that speaks no TLS is not spoken to in the clear.
    let plain = S3::start().unwrap();
    plain.make_bucket("files").unwrap();
    refusal(&trusting(&plain.url().replace("http://", "https://"), &authority)).await;
    assert!(matches!(read(&trusting(&plain.url(), &authority), NAME, 0..1).await, Err(Error::NotFound)), "it is there");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let good = Settings::new("http://127.0.0.1:9", "files", "key", "secret");
    assert!(S3Media::new(&good).is_ok());
    let text = |text: &str| text.to_owned();
    let wrong = [
        Settings { endpoint: text("ftp://127.0.0.1:9"), ..good.clone() },
        Settings { endpoint: text("https://127.0.0.1:9"), authorities: Some(text("no certificate")), ..good.clone() },
        Settings { bucket: text(""), ..good.clone() },
        Settings { prefix: text("a//b"), ..good.clone() },
        Settings { secret_key: text(""), ..good.clone() },
        Settings { answer_within: Duration::ZERO, ..good.clone() },
    ];
    for settings in wrong {
        assert!(S3Media::new(&settings).is_err(), "{settings:?}");
    }
    assert!(!format!("{good:?}").contains("secret"), "{good:?}");
}
