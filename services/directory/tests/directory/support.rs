//! What the tests have in common: a world, fakes of those whom a directory calls, requests, and how to wait.

mod fake;
mod gateway;
mod requests;
mod router;
mod world;

use std::future::Future;
use std::time::Duration;

use mynah_proto::Failure;
use mynah_types::Reason;

pub use fake::Mode;
pub use requests::{by_password, members, named, new_group, new_user, strings};
pub use world::{START, World, quick};

/// Why a call was refused.
pub fn why<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Reason {
    outcome.unwrap_err().why()
}

/// Waits until a condition holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
