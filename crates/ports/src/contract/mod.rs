//! Contract suites, one module per port, and what benches and other tests append to a log.

pub mod appends;
pub mod bus;
pub mod changes;
pub mod directory_store;
pub mod first;
pub mod media_store;
pub mod message_log;
pub mod presence;
pub mod report_index;
pub mod shard_leases;
