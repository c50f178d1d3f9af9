//! The directory's store on PostgreSQL, the twin of the one on SQLite: several processes share it.
//!
//! Owns the schema and its migrations. It knows the port's records, and nothing of services, wires or rules beyond what the
//! port asks of its transactions.
//!
//! What one writer gives on SQLite, locks give here. Transactions read what is committed and take their locks first, in one order:
//! rows of `apps`, the roster, rows of `users` by uid, counters. Who holds a user's row alone counts his groups and friends, decides
//! over his sessions and switches, and gives numbers to his feed's events.

#[macro_use]
mod engine;

mod activity;
mod apps;
mod callbacks;
mod errors;
mod feeds;
mod friends;
mod generations;
mod media;
mod packed;
mod relations;
mod rosters;
mod schema;
mod sessions;
mod signatures;
mod store;
mod switches;
mod turns;
mod users;
mod words;

pub use errors::OpenError;
pub use mynah_postgres_tls::{Address, AddressError};
pub use store::PostgresDirectory;
