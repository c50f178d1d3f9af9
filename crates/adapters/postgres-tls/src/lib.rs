//! TLS to PostgreSQL: what an address asks for, and how a connection is made so.
//!
//! It owns what `sslmode` means here, and whose certificates count. It knows no schema and no statement.

mod address;
mod authorities;
mod connector;

pub use address::{Address, AddressError};
pub use connector::{Connector, Encrypted, Handshake};
