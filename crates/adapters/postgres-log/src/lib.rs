//! The message log on PostgreSQL: one append is one statement, which locks the rows of its shards, checks, and writes what fits.
//!
//! It owns the layout of the database's schema `mynah_log` (see `migrations`). It knows the port and the types, no service and no
//! wire format.
//!
//! The same schema holds the routers' leases and the shard map: what assigns a shard is the row that fences it.
//!
//! A log may lie in several databases, each with a range of shards ([`ShardedLog`]). They share nothing: each has its own leases, and one
//! that is slow or away holds up no other one. Each says which shards it has and of which set of databases it is one.
//!
//! A connection that dies while an append is under way leaves its outcome unknown; the next claim of the shard waits for what the
//! server still does of it. Nothing is kept in this process but connections, which are made again when they are gone.

mod append;
mod claim;
mod columns;
mod databases;
mod judge;
mod late;
mod leases;
mod log;
mod pool;
mod read;
mod rows;
mod schema;
mod sharded;

pub use databases::{Database, Databases};
pub use log::{OpenError, Options, PostgresLog};
pub use schema::Migrated;
pub use sharded::ShardedLog;
