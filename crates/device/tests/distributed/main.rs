//! The same suites over gRPC channels on real PostgreSQL, Kafka and Redis.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, dead_code, reason = "a test fails by panicking; the engines are shared")]

#[path = "../device/canary.rs"]
mod canary;
#[path = "../device/changes.rs"]
mod changes;
mod engines;
#[path = "../device/faults.rs"]
mod faults;
#[path = "../device/faults_json.rs"]
mod faults_json;
#[path = "../device/frames.rs"]
mod frames;
#[path = "../device/names.rs"]
mod names;
#[path = "../device/reading.rs"]
mod reading;
#[path = "../../../../services/mynah/tests/rest/engines.rs"]
mod real;
#[path = "../device/rooms.rs"]
mod rooms;
#[path = "../device/support.rs"]
mod support;
#[path = "../device/talk.rs"]
mod talk;
#[path = "../channels/wiring.rs"]
mod wiring;

const SUBPROTOCOL: &str = support::JSON;
