//! The embedded report index keeps the contract of its port.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use mynah_fjall::FjallReport;
use mynah_ports::ReportIndex;
use mynah_ports::contract::report_index::Harness;

struct Folder(tempfile::TempDir);

impl Harness for Folder {
    fn open(&self, log_epoch: &str) -> Arc<dyn ReportIndex> {
        Arc::new(FjallReport::open(self.0.path(), log_epoch, 480).unwrap())
    }
}

fn fresh() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

mynah_ports::report_index_contract!(fresh);
