//! Presence against a real Redis: the port's contract, and what only a store apart can do to it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod emptied;
mod leases;
mod sentinel;
mod support;
mod tls;

use support::{Pair, settled_on, shared, single};

async fn fresh() -> Pair {
    let redis = shared();
    let servers = single(&redis);
    settled_on(redis, &servers).await
}

mynah_ports::presence_contract!(fresh);
