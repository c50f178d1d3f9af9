//! How a store of the engine is opened, for the log and for the report index.

use std::path::Path;

use fjall::Database;

/// Bytes of sealed journals beyond which every table in memory is written out, the small ones too: else those would lie in memory, and in
/// journals that a start reads again, until each had 64 MiB by itself. It is the least that the engine takes.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Opens a store with a cache of blocks.
pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Database, fjall::Error> {
    Database::builder(path).cache_size(cache_bytes).max_journaling_size(JOURNAL_BYTES).worker_threads(1).open()
}
