//! The contract suite of the port.

use std::sync::Arc;

use mynah_ports::MessageLog;
use mynah_ports::contract::message_log::Harness;
use mynah_postgres_log::{Options, PostgresLog};

use crate::support::new_database;

struct Fresh(String);

impl Harness for Fresh {
    fn open(&mut self) -> Arc<dyn MessageLog> {
        let opened = || tokio::runtime::Handle::current().block_on(PostgresLog::open(&self.0, &Options::default()));
        Arc::new(tokio::task::block_in_place(opened).unwrap())
    }
}

fn fresh() -> Fresh {
    Fresh(new_database())
}

mynah_ports::message_log_contract!(fresh);
