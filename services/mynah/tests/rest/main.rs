//! The REST API over the embedded shape: the contract's cases, bad input at every endpoint, what one app sees of another.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod app;
mod callback;
mod cases;
mod channels;
mod codes;
mod contract;
mod documented;
mod engines;
mod faults;
mod files;
mod flows;
mod history;
mod limits;
mod media;
mod quirks;
mod races;
mod reach;
mod setup;
mod shapes;
mod uploads;
mod world;
