//! The contract suite of the port.

use std::sync::Arc;

use mynah_fjall::{FjallLog, Options};
use mynah_ports::MessageLog;
use mynah_ports::contract::message_log::Harness;

struct Fresh(tempfile::TempDir);

impl Harness for Fresh {
    fn open(&mut self) -> Arc<dyn MessageLog> {
        Arc::new(FjallLog::open(&self.0.path().join("log"), &Options::default()).unwrap())
    }
}

fn fresh() -> Fresh {
    Fresh(tempfile::tempdir().unwrap())
}

mynah_ports::message_log_contract!(fresh);
