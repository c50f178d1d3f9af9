//! Whole deployments of real processes on real engines, as clients see them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod databases;
mod engines_tls;
mod grpc;
mod kafka_away;
mod metrics;
mod overdue;
mod pairs;
mod presence;
mod presence_away;
mod repairs;
mod rolling;
mod scale;
mod stale_owner;
mod start_order;
mod starts;
mod support;
mod tls;
