//! Devices over the real directory, router and engines.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod canary;
mod changes;
mod engines;
mod faults;
mod faults_json;
mod frames;
mod names;
mod reading;
mod rooms;
mod support;
mod talk;
mod wiring;

const SUBPROTOCOL: &str = support::JSON;
