//! How a store of the engine is opened, for the log and for the report index.

use std::path::Path;

use fjall::Database;

/// Bytes of sealed journals beyond which every table in memory is written out, the small ones too: else those would lie in memory, and in
/// journals that a start reads again, until each had 64 MiB by itself. It is the least that the engine takes.
const JOURNAL_BYTES: u64 = 64 << 20;

/// By how much the thread that writes tables out and merges them gives way to those that answer. It works for hundreds of milliseconds at a
/// time; with an equal share of a processor it made one of a hundred answers three times as late.
const GIVES_WAY: i32 = 10;

/// Opens a store with a cache of blocks.
pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Database, fjall::Error> {
    // The store's own thread inherits the priority of the one that opens it, which nobody can raise again: so that one ends here.
    let opened = std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            if let Err(error) = rustix::process::setpriority_process(None, GIVES_WAY) {
                tracing::warn!(%error, "the store's thread has the priority of all others");
            }
            Database::builder(path).cache_size(cache_bytes).max_journaling_size(JOURNAL_BYTES).worker_threads(1).open()
        });
        opening.join()
    });
    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    /// The nice value of this process's threads of that name.
    fn nice(name: &str) -> Vec<i32> {
        let mut found = Vec::new();
        for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            if let Some((head, fields)) = stat.rsplit_once(')')
                && head.ends_with(name)
            {
                // The 19th field of all; those before the name's bracket are two.
                found.push(fields.split_whitespace().nth(16).unwrap().parse().unwrap());
            }
        }
        found
    }

    #[test]
    fn the_stores_own_thread_gives_way_and_who_opens_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let before = rustix::process::getpriority_process(None).unwrap();
        let store = open(folder.path(), 1 << 20).unwrap();
        // The thread names itself when it begins.
        while nice("fjall:worker").is_empty() {
            std::thread::yield_now();
        }
        assert!(nice("fjall:worker").into_iter().all(|nice| nice == GIVES_WAY), "{:?}", nice("fjall:worker"));
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
        drop(store);
    }
}
