//! Files that were damaged: an error that says so, or all of it; never less in silence.

use std::fs;
use std::path::{Path, PathBuf};

use mynah_fjall::{FjallLog, OpenError, Options};
use mynah_ports::MessageLog as _;

use crate::support::{Writer, open, whole};

const SIZE: usize = 300;
const ENTRIES: u64 = 60;

/// A log with entries in its journal, closed.
async fn written(folder: &Path) -> PathBuf {
    let path = folder.join("log");
    let mut writer = Writer::on(open(&path).unwrap()).await;
    for _ in 0..ENTRIES {
        writer.next(SIZE).await;
    }
    path
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn journal(path: &Path) -> PathBuf {
    let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|e| e == "jnl")).max().unwrap()
}

/// Opens a copy whose journal was changed: an error, or everything.
async fn loud_or_whole(original: &Path, bytes: &[u8], what: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    copy(original, &path);
    fs::copy(original.with_extension("mark"), path.with_extension("mark")).unwrap();
    fs::write(journal(&path), bytes).unwrap();
    // In a debug build the engine asserts, which a release build does not: that is loud, too.
    let opened = std::panic::catch_unwind(|| open(&path));
    match opened {
        Err(_) => true,
        Ok(Err(error)) => {
            assert!(error.to_string().contains(&*path.to_string_lossy()), "{error} names no folder");
            true
        }
        Ok(Ok(log)) => match whole(&log, SIZE).await {
            Ok(there) => {
                assert_eq!(there, ENTRIES, "{what}: opened with {there} entries, and said nothing");
                false
            }
            Err(_) => true,
        },
    }
}

#[tokio::test]
async fn a_zeroed_page_a_flipped_byte_or_a_cut_is_not_passed_over_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path()).await;
    let whole = fs::read(journal(&path)).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut loud = 0;
    for page in (0..used).step_by(4096) {
        let mut bytes = whole.clone();
        let end = (page + 4096).min(used);
        bytes[page..end].fill(0);
        loud += u32::from(loud_or_whole(&path, &bytes, &format!("page at {page} zeroed")).await);
    }
    for at in (0..used).step_by(used / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        loud += u32::from(loud_or_whole(&path, &bytes, &format!("byte {at} flipped")).await);
        loud += u32::from(loud_or_whole(&path, &whole[..at], &format!("cut at {at}")).await);
    }
    assert!(loud > 60, "the damage was real: {loud}");
}

#[tokio::test]
async fn a_loss_is_counted_and_may_be_accepted_as_another_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path()).await;
    let before = open(&path).unwrap().log_epoch();
    let bytes = fs::read(journal(&path)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    fs::write(journal(&path), &bytes[..used * 3 / 4]).unwrap();
    let Err(OpenError::Lost { missing, .. }) = open(&path) else { panic!("opened") };
    let accepted = FjallLog::open(&path, &Options { accept_loss: true, ..Options::default() }).unwrap();
    assert_eq!(whole(&accepted, SIZE).await.unwrap() + missing, ENTRIES);
    assert_ne!(accepted.log_epoch(), before);
    drop(accepted);
    open(&path).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    for path in ["/proc/self/log", "/dev/null/log"] {
        let error = open(Path::new(path)).err().unwrap().to_string();
        assert!(error.contains(path), "{error}");
    }
}
