//! The same suites with devices that speak protobuf, and both codecs in one conversation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod both;
#[path = "../device/changes.rs"]
mod changes;
#[path = "../device/engines.rs"]
mod engines;
#[path = "../device/faults.rs"]
mod faults;
mod faults_binary;
#[path = "../device/frames.rs"]
mod frames;
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
#[path = "../device/wiring.rs"]
mod wiring;

const SUBPROTOCOL: &str = support::PROTOBUF;
