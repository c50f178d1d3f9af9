//! The directory's store on SQLite: WAL, synchronous=FULL, one writer that commits in groups, a few readers.
//!
//! Owns the schema and its migrations. It knows the port's records, and nothing of services, wires or rules beyond what the
//! port asks of its transactions. Several processes may open one file: the server, and the operator's commands beside it.

mod activity;
mod apps;
mod callbacks;
mod engine;
mod feeds;
mod friends;
mod media;
mod relations;
mod rosters;
mod schema;
mod sessions;
mod signatures;
mod store;
mod switches;
mod users;
mod words;

pub use store::SqliteDirectory;
