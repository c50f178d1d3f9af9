//! The embedded log: the contract of the port, kills, full disks, damaged files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod contract;
mod damage;
mod kills;
mod support;
