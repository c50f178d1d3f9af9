//! Presence against a real Redis: the port's contract, and what only a store apart can do to it.

mod support;

use support::{Pair, settled_pair};

async fn fresh() -> Pair {
    settled_pair(&support::shared()).await
}

mynah_ports::presence_contract!(fresh);
