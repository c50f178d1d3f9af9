//! The store's contract over PostgreSQL, and what is PostgreSQL's own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod shared;

use shared::fresh;

mynah_ports::directory_store_contract!(fresh);
