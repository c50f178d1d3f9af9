//! Routers that share one log: the contract of the port, and what becomes of them when one is gone.

use mynah_ports::ShardLeases;
use mynah_postgres_log::{Options, PostgresLog};

use crate::support::new_database;

mod contract {
    use super::{Options, PostgresLog, ShardLeases, new_database};

    fn fresh() -> impl ShardLeases {
        let opened = || tokio::runtime::Handle::current().block_on(PostgresLog::open(&new_database(), &Options::default()));
        tokio::task::block_in_place(opened).unwrap()
    }

    mynah_ports::shard_leases_contract!(fresh);
}
