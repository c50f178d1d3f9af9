//! The engines of the embedded shape.

use std::path::Path;
use std::sync::Arc;

use mynah_fjall::{FjallLog, Options};
use mynah_memory::{MemoryBus, MemoryPresence};
use mynah_sqlite::SqliteDirectory;

use crate::support::{Engines, GATEWAY};

pub async fn start(folder: &Path) -> Engines {
    Engines {
        store: Arc::new(SqliteDirectory::open(folder.join("directory.db")).unwrap()),
        log: Arc::new(FjallLog::open(&folder.join("log"), &Options::default()).unwrap()),
        bus: Arc::new(MemoryBus::new(64)),
        presence: Arc::new(MemoryPresence::new(vec![GATEWAY])),
    }
}
