//! The log on a real PostgreSQL: the contract of the port, kills, what holds its shards, several starters, older versions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod contract;
mod faults;
mod kills;
mod leases;
mod older;
mod replicas;
mod schema;
mod sharded;
mod stopped;
mod support;
mod tls;
