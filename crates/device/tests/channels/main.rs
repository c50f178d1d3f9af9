//! The same suites with every call between the services over a gRPC channel.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../device/changes.rs"]
mod changes;
#[path = "../device/engines.rs"]
mod engines;
#[path = "../device/names.rs"]
mod names;
#[path = "../device/reading.rs"]
mod reading;
#[path = "../device/rooms.rs"]
mod rooms;
#[path = "../device/support.rs"]
mod support;
#[path = "../device/talk.rs"]
mod talk;
mod wiring;

const SUBPROTOCOL: &str = support::JSON;
