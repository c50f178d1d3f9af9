//! The service over SQLite in a temporary folder, with fakes of the router's and the gateway's traits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "tests: what should not be fails them"
)]

mod apps;
mod cross;
mod deletion;
mod feeds;
mod groups;
mod handover;
mod isolation;
mod operator;
mod processes;
mod relations;
mod rooms;
mod sessions;
mod shields;
mod support;
mod users;
